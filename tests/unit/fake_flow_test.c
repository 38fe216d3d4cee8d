/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fakes of which a part is real or that are told by what else the flow says; ends that clear and that do not;
 * retransmissions; who gets to see a fake, and where there is no room to tell one.
 */
#include "fake_rig.h"

/* ---- urgent ---- */

/* The hello with a byte put in at 1, which the pointer is to, or past, or not at all. */
static void out_of_band(uint16_t pointer, uint8_t flags, uint32_t cut)
{
	uint8_t bytes[600];
	struct kd_pkt *p;

	bytes[0] = listed[0];
	bytes[1] = 'x';
	memcpy(bytes + 2, listed + 1, listed_len - 1);
	opened();
	p = from(IN, KD_TCP_ACK | flags, ISN + 1, bytes, cut);
	kd_put16(p->data + 52, pointer);
	right();
	if (cut <= listed_len)
		says(cut, bytes + cut, listed_len + 1 - cut);
}

static void urgent(void **state)
{
	(void)state;
	for (unsigned int value = BELIEVE; value < VALUES; value++) {
		policy.nknobs = 0;
		set(KD_KNOB_FAKE_URGENT, value);
		out_of_band(2, KD_TCP_URG, listed_len + 1);
		assert_int_equal(fate(NULL), value == BELIEVE ? PASSED : value == IGNORE ? RESET : DROPPED);
		/* In segments, wherever they part. */
		set(KD_KNOB_TCP_REASSEMBLE, KD_REASSEMBLE_IN_ORDER);
		for (uint32_t cut = 2; cut <= listed_len; cut += 13) {
			out_of_band(2, KD_TCP_URG, cut);
			assert_int_equal(fate(NULL), value == BELIEVE  ? PASSED
						     : value == IGNORE ? RESET
								       : DROPPED);
		}
		/* No flag, another byte, behind the payload. */
		out_of_band(2, 0, listed_len + 1);
		assert_int_equal(fate("!fake"), PASSED);
		out_of_band((uint16_t)(listed_len + 2), KD_TCP_URG, listed_len + 1);
		assert_int_equal(fate("!fake"), PASSED);
		out_of_band(3, KD_TCP_URG, listed_len + 1);
		assert_int_equal(fate(NULL), value == PUNISH ? DROPPED : PASSED);
	}
}

/* Nothing but the urgent byte: nothing to look at; and 0 points to the first. */
static void urgent_alone(void **state)
{
	(void)state;
	set(KD_KNOB_FAKE_URGENT, IGNORE);
	opened();
	from(IN, KD_TCP_ACK | KD_TCP_URG, ISN + 1, (const uint8_t *)"x", 1);
	says(1, listed, listed_len);
	assert_int_equal(fate("fake.urgent"), RESET);
}

/* ---- payload on a SYN ---- */

static void syn_with(void)
{
	from(IN, KD_TCP_SYN, ISN, other, other_len);
	from(OUT, KD_TCP_SYN | KD_TCP_ACK, SERVER_ISN, NULL, 0);
	says(0, listed, listed_len);
}

static void behind_it(void)
{
	opened();
	says(0, other, other_len);
	says(0, listed, listed_len);
}

static void syn_data(void **state)
{
	(void)state;
	as_the_knob_says(KD_FAKE_SYN_DATA, syn_with);
	never(KD_FAKE_SYN_DATA, behind_it);
	/* What was not believed was not sent either. */
	policy.nknobs = 0;
	set(KD_KNOB_FAKE_SYN_DATA, IGNORE);
	set(KD_KNOB_TCP_RETRANSMIT, KD_RETRANSMIT_SKIPPED);
	syn_with();
	assert_int_equal(fate("!stream.retransmitted"), RESET);
	policy.nknobs = 0;
	set(KD_KNOB_TCP_RETRANSMIT, KD_RETRANSMIT_SKIPPED);
	from(IN, KD_TCP_SYN, ISN, listed, 30);
	says(0, listed, 30);
	says(0, listed, listed_len);
	assert_int_equal(fate("stream.retransmitted"), RESET);
}

/* ---- overlap ---- */

static unsigned int altered;

/* The hello's name in a segment of its own, and another one in its place first. */
static void rewritten(void)
{
	uint8_t bytes[16];
	uint32_t name = listed_len - 14;

	memcpy(bytes, listed + name, 13);
	memset(bytes, 'x', altered);
	opened();
	says(0, listed, listed_len - 2);
	says(name, bytes, 13);
	says(listed_len - 2, listed + listed_len - 2, 2);
}

static void overlap(void **state)
{
	(void)state;
	for (unsigned int value = BELIEVE; value < VALUES; value++) {
		policy.nknobs = 0;
		set(KD_KNOB_FAKE_OVERLAP, value);
		set(KD_KNOB_TCP_REASSEMBLE, KD_REASSEMBLE_IN_ORDER);
		set(KD_KNOB_TCP_OVERLAP, KD_OVERLAP_LAST);
		altered = 3;
		rewritten();
		assert_int_equal(fate(value == BELIEVE ? "!fake.overlap" : NULL), value == BELIEVE ? PASSED
										  : value == IGNORE
											  ? RESET
											  : DROPPED);
		altered = 0;
		rewritten();
		assert_int_equal(fate("!fake.overlap"), RESET);
	}
}

/* ---- FIN and RST ---- */

static uint8_t end_ttl, end_flag;

/* Behind the trigger, and then the server's answer. */
static void ended_later(void)
{
	opened();
	says(0, listed, listed_len);
	ttl(from(IN, KD_TCP_ACK | end_flag, ISN + 1 + listed_len, NULL, 0), end_ttl);
	from(OUT, KD_TCP_ACK, SERVER_ISN + 1, (const uint8_t *)"answer", 6);
}

static void ended_before(void)
{
	opened();
	ttl(from(IN, KD_TCP_ACK | end_flag, ISN + 1, NULL, 0), end_ttl);
	says(0, listed, listed_len);
}

static void fin_rst(void **state)
{
	static const uint8_t flags[] = {KD_TCP_FIN, KD_TCP_RST};

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		end_flag = flags[i];
		end_ttl = 64;
		policy.nknobs = 0;
		ended_later();
		assert_int_equal(fate("reset.rewritten"), RESET);
		ended_before();
		assert_int_equal(fate("!flow.cleared"), RESET);
		set(KD_KNOB_FLOW_FIN_RST, KD_FIN_RST_CLEARS);
		ended_later();
		assert_int_equal(fate("!reset.rewritten"), RESET);
		ended_before();
		assert_int_equal(fate("flow.cleared"), PASSED);
		/* The packet that ends an undecided flow is looked at first. */
		opened();
		from(IN, KD_TCP_ACK | end_flag, ISN + 1, listed, listed_len);
		from(OUT, KD_TCP_ACK, SERVER_ISN + 1, (const uint8_t *)"answer", 6);
		assert_int_equal(fate("reset.rewritten"), RESET);
		/* A new connection is another flow. */
		ended_later();
		from(IN, KD_TCP_SYN, 5, NULL, 0);
		from(IN, KD_TCP_ACK, 6, listed, listed_len);
		from(OUT, KD_TCP_ACK, 60, (const uint8_t *)"answer", 6);
		assert_int_equal(fate("reset.rewritten"), RESET);
	}
}

static void low_ttl_end(void **state)
{
	(void)state;
	end_flag = KD_TCP_RST;
	for (unsigned int value = BELIEVE; value < VALUES; value++) {
		policy.nknobs = 0;
		set(KD_KNOB_FLOW_FIN_RST, KD_FIN_RST_CLEARS);
		set(KD_KNOB_FAKE_LOW_TTL_END, value);
		end_ttl = 33;
		ended_later();
		assert_int_equal(fate(value == BELIEVE ? "!reset.rewritten" : "reset.rewritten"), RESET);
		ended_before();
		assert_int_equal(fate(value == IGNORE ? "fake.low_ttl_end" : NULL), value == BELIEVE ? PASSED
										    : value == IGNORE
											    ? RESET
											    : DROPPED);
		end_ttl = 34;
		ended_later();
		assert_int_equal(fate("!reset.rewritten"), RESET);
		ended_before();
		assert_int_equal(fate("flow.cleared"), PASSED);
	}
}

/* ---- length of the name ---- */

static const uint8_t *before;
static uint32_t before_len;

static void decoys(void)
{
	opened();
	says(0, before, before_len);
	says(before_len, before, before_len); /* sent again: still the same */
	says(2 * before_len, listed, listed_len);
}

static void name_length(void **state)
{
	(void)state;
	before = other;
	before_len = other_len;
	for (unsigned int value = BELIEVE; value < VALUES; value++) {
		policy.nknobs = 0;
		set(KD_KNOB_FAKE_NAME_LENGTH, value);
		decoys();
		assert_int_equal(fate(value == BELIEVE ? "!fake" : "fake.name_length"),
			value == BELIEVE ? PASSED : RESET);
	}
	/* Only the second hello shows it, and names come before protocols: whom the rule has is a name of
	 * nobody's. */
	before = listed;
	before_len = listed_len;
	terms[1].set = 2;
	decoys();
	assert_int_equal(fate("fake.name_length"), PASSED);
	before = other;
	before_len = other_len;
	decoys();
	assert_int_equal(fate("fake.name_length"), DROPPED);
	terms[1].set = 1;
	/* As long as the real one: believed. */
	before = decoy;
	before_len = decoy_len;
	for (unsigned int value = BELIEVE; value < VALUES; value++) {
		policy.nknobs = 0;
		set(KD_KNOB_FAKE_NAME_LENGTH, value);
		decoys();
		assert_int_equal(fate(NULL), PASSED);
	}
}

/* An allow that the decoy earned is not the next hello's. */
static void name_length_allowed(void **state)
{
	(void)state;
	rules[2] = rules[1];
	rules[1] = (struct kd_rule){.id = "allowed",
		.phase = KD_PHASE_NAMES_ALLOWED,
		.mechanism = KD_MECHANISM_NONE,
		.closes = 1u << KD_PHASE_NAMES_BLOCKED,
		.first_term = 3,
		.presence = UINT64_MAX};
	terms[3] = (struct kd_term){.kind = KD_TERM_LENGTH,
		.n = 1,
		.spans = (const struct kd_span[]){{other_len, other_len}},
		.on_true = KD_TERM_TRUE,
		.on_false = KD_TERM_FALSE};
	policy.nterms = 4;
	lay_out_phases();
	set(KD_KNOB_FAKE_NAME_LENGTH, IGNORE);
	before = other;
	before_len = other_len;
	decoys();
	assert_int_equal(fate("reset.armed"), DROPPED); /* the second rule, which resets here */
	policy.nknobs = 0;
	decoys();
	assert_int_equal(fate("!reset.armed"), RESET); /* the allow's verdict */
}

/* ---- retransmissions ---- */

static void retransmit(void **state)
{
	(void)state;
	for (unsigned int value = KD_RETRANSMIT_READ; value <= KD_RETRANSMIT_SKIPPED; value++) {
		const char *told =
			value == KD_RETRANSMIT_READ ? "!stream.retransmitted" : "stream.retransmitted";

		policy.nknobs = 0;
		set(KD_KNOB_TCP_RETRANSMIT, value);
		opened();
		says(0, listed + 1, listed_len);
		says(0, listed, listed_len);
		assert_int_equal(fate(told), value == KD_RETRANSMIT_READ ? RESET : PASSED);
		/* One byte more than was sent. */
		opened();
		says(0, listed + 1, listed_len - 1);
		says(0, listed, listed_len);
		assert_int_equal(fate("!stream.retransmitted"), RESET);
	}
}

/* ---- rules, room ---- */

/* Ordinary rules do not see what is punished, and a rule that asks for fakes sees nothing else. */
static void who_sees_it(void **state)
{
	(void)state;
	set(KD_KNOB_FAKE_TTL, PUNISH);
	rules_for(0);
	opened();
	ttl(says(0, listed, listed_len), 3);
	assert_int_equal(fate("fake.ttl"), PASSED);
	rules_for(KD_FAKE_BIT(KD_FAKE_TTL));
	opened();
	says(0, other, other_len);
	assert_int_equal(fate("!drop."), PASSED);
	/* With another term beside it: a fake that is no hello. */
	terms[2].on_true = 3;
	terms[3] = (struct kd_term){.kind = KD_TERM_PROTOCOL,
		.mask = 1u << KD_PROTOCOL_tls,
		.on_true = KD_TERM_TRUE,
		.on_false = KD_TERM_FALSE};
	policy.nterms = 4;
	opened();
	ttl(says(0, (const uint8_t *)"zzzz", 4), 3);
	assert_int_equal(fate("fake.ttl"), PASSED);
	opened();
	ttl(says(0, other, other_len), 3);
	assert_int_equal(fate(NULL), DROPPED);
}

/* Behind the budget of its side nobody looks. */
static void spent(void **state)
{
	(void)state;
	set(KD_KNOB_FAKE_TTL, PUNISH);
	opened();
	for (unsigned int i = 0; i < 21; i++)
		says(i, (const uint8_t *)"x", 1);
	ttl(says(21, other, other_len), 3);
	assert_int_equal(fate("!fake"), PASSED);
}

/* A flow of two packets that leaves a trace, on a port of its own. */
static void leave_trace(uint16_t port, const uint8_t *payload, size_t len, uint16_t number)
{
	struct who w = one;

	w.port = port;
	add(f, &w, IN, T0 + f->n * 1000000ull, KD_TCP_SYN, 100, NULL, 0);
	add(f, &w, IN, T0 + f->n * 1000000ull, KD_TCP_ACK, 101, payload, len);
	id(&f->pkt[f->n - 1], number);
}

/* Room for one: a SYN takes none, the second flow is judged without, and the first gives it back when it is
 * decided. */
static void room(void **state)
{
	struct kd_engine *e;
	struct result r;
	struct who w = one;

	(void)state;
	set(KD_KNOB_FAKE_IP_ID, IGNORE);
	traces = 1;
	e = sized();
	for (uint16_t port = 1; port < 20; port++) {
		w.port = port;
		add(f, &w, IN, T0 + f->n * 1000000ull, KD_TCP_SYN, 100, NULL, 0);
	}
	leave_trace(1001, (const uint8_t *)"junk", 4, 7);
	leave_trace(1002, (const uint8_t *)"junk", 4, 7);
	w.port = 1002;
	add(f, &w, IN, T0 + f->n * 1000000ull, KD_TCP_ACK, 105, listed, listed_len);
	id(&f->pkt[f->n - 1], 7);
	w.port = 1001;
	add(f, &w, IN, T0 + f->n * 1000000ull, KD_TCP_ACK, 105, listed, listed_len);
	leave_trace(1003, (const uint8_t *)"junk", 4, 7);
	w.port = 1003;
	add(f, &w, IN, T0 + f->n * 1000000ull, KD_TCP_ACK, 105, listed, listed_len);
	id(&f->pkt[f->n - 1], 7);
	run_on(e, f, 1, 1, &r);
	assert_int_equal(r.count.traces_full, 2); /* both packets of 1002 */
	assert_int_equal(count_of(&r, KD_EVENT_VERDICT, "reset.armed"), 2);
	assert_int_equal(r.count.reasons[KD_REASON_FAKE_IP_ID], 1);
	result_free(&r);
	kd_engine_free(e);
}

/* A flow that ends gives its trace back, decided or not. */
static void given_back(void **state)
{
	struct kd_engine *e;
	struct result r;

	(void)state;
	set(KD_KNOB_FAKE_IP_ID, IGNORE);
	policy.settings.idle_syn_ns = policy.settings.idle_established_ns = 1000;
	traces = 1;
	e = sized();
	for (uint16_t port = 1; port < 40; port++) {
		leave_trace(port, (const uint8_t *)"junk", 4, 7);
		f->pkt[f->n - 2].time_ns = f->pkt[f->n - 1].time_ns = T0 + port * 3 * SEC;
	}
	run_on(e, f, 1, 40, &r);
	assert_int_equal(r.count.traces_full, 0);
	result_free(&r);
	kd_engine_free(e);
}

/* Junk and, a second later, a listed hello with the same ID. */
static void fake_at(uint16_t port, uint64_t at_ns)
{
	struct who w = one;

	leave_trace(port, (const uint8_t *)"junk", 4, 7);
	f->pkt[f->n - 2].time_ns = f->pkt[f->n - 1].time_ns = at_ns;
	w.port = port;
	add(f, &w, IN, at_ns, KD_TCP_ACK, 105, listed, listed_len);
	id(&f->pkt[f->n - 1], 7);
}

/* A full pool whose owners died unnoticed has room at the moment they die, and not before, however seldom
 * the sweep comes by. */
static void dead_make_room(void **state)
{
	static const struct {
		unsigned int burst, ticks;
	} paces[] = {{1, 0}, {1, 1}, {1, 9}, {3, 0}, {64, 0}};
	struct result r[5];

	(void)state;
	set(KD_KNOB_FAKE_IP_ID, IGNORE);
	policy.settings.idle_syn_ns = policy.settings.idle_established_ns = 10 * SEC;
	traces = 2;
	fake_at(1001, T0);
	fake_at(1002, T0 + 1);
	fake_at(1003, T0 + 10 * SEC - 1); /* no room, believed */
	fake_at(1004, T0 + 10 * SEC);	  /* 1001 is dead */
	fake_at(1005, T0 + 10 * SEC);	  /* 1002 is not */
	fake_at(1006, T0 + 10 * SEC + 1);
	fake_at(1007, T0 + 20 * SEC);
	for (unsigned int i = 0; i < 5; i++) {
		struct kd_engine *e = sized();

		run_on(e, f, paces[i].burst, paces[i].ticks, &r[i]);
		assert_int_equal(r[i].count.traces_full, 4); /* both packets of 1003 and 1005 */
		assert_int_equal(r[i].count.reasons[KD_REASON_FAKE_IP_ID], 5);
		assert_int_equal(count_of(&r[i], KD_EVENT_VERDICT, "reset.armed"), 2);
		assert_string_equal(r[0].actions, r[i].actions);
		assert_int_equal(r[0].events, r[i].events);
		for (unsigned int k = 0; k < r[0].events; k++)
			assert_memory_equal(&r[0].event[k], &r[i].event[k], sizeof(r[0].event[k]));
		kd_engine_free(e);
	}
	for (unsigned int i = 0; i < 5; i++)
		result_free(&r[i]);
}

/* The same bytes as a datagram: what was the rest of the TCP header is payload. */
static void make_udp(struct kd_pkt *p)
{
	p->data[23] = KD_PROTO_UDP;
	kd_put16(p->data + 38, (uint16_t)(kd_get16(p->data + 16) - 20));
	kd_put16(p->data + 40, 0);
}

/* Who came behind a look around that found nobody may die before all it saw. */
static void dies_young(void **state)
{
	struct who w = one;
	struct kd_engine *e;
	struct result r;

	(void)state;
	set(KD_KNOB_FAKE_IP_ID, IGNORE);
	policy.settings.idle_syn_ns = policy.settings.idle_established_ns = 100 * SEC;
	policy.settings.idle_udp_ns = 10 * SEC;
	traces = 1;
	leave_trace(1001, (const uint8_t *)"junk", 4, 7);
	leave_trace(1002, (const uint8_t *)"junk", 4, 7);
	w.port = 1001;
	add(f, &w, IN, T0 + SEC, KD_TCP_ACK, 105, listed, listed_len);
	add(f, &w, IN, T0 + SEC, KD_TCP_ACK, 1, (const uint8_t *)"junk", 4);
	make_udp(&f->pkt[f->n - 1]);
	fake_at(1003, T0 + 11 * SEC);
	e = sized();
	run_on(e, f, 64, 0, &r);
	assert_int_equal(r.count.traces_full, 1); /* 1002's */
	assert_int_equal(r.count.reasons[KD_REASON_FAKE_IP_ID], 1);
	result_free(&r);
	kd_engine_free(e);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fresh, done)
	const struct CMUnitTest tests[] = {TEST(urgent), TEST(urgent_alone), TEST(syn_data), TEST(overlap),
		TEST(fin_rst), TEST(low_ttl_end), TEST(name_length), TEST(name_length_allowed),
		TEST(retransmit), TEST(who_sees_it), TEST(spent), TEST(room), TEST(given_back),
		TEST(dead_make_room), TEST(dies_young)};

	return cmocka_run_group_tests_name("fake_flow", tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a flow's state depends on beside its packets: idle times of half-open and of answered flows, a new SYN
 * on a flow that a rule has hold of, ICMP errors that quote it. Rules are made by hand: TLS to listed.example
 * is dropped or reset.
 */
#include "by_hand.h"

#include "engine/guard.h"
#include "engine/icmp.h"

static struct kd_knob knobs[2];

static void turn(unsigned int index, unsigned int value)
{
	knobs[policy.nknobs++] = (struct kd_knob){.name = kd_knob_rows[index].name,
		.index = (uint8_t)index,
		.value_index = (uint8_t)value,
		.share = UINT64_MAX};
	policy.knobs = knobs;
}

static int fresh(void **state)
{
	start(state);
	knobs[0] = knobs[1] = (struct kd_knob){.name = NULL};
	policy.nknobs = 0;
	return 0;
}

/* ---- idle times ---- */

static void idle(uint64_t syn_s, uint64_t established_s)
{
	drop_rule("sni", KD_PHASE_NAMES_BLOCKED, named(LISTED));
	policy.settings.idle_syn_ns = syn_s * SEC;
	policy.settings.idle_established_ns = established_s * SEC;
}

/* Two packets that far apart; `answered`: both sides have spoken at the first. How many flows that makes. */
static uint64_t flows_of(bool answered, unsigned int second, uint64_t apart_ns)
{
	struct feed *f = new_feed();
	struct result r;
	uint64_t made;

	add(f, &w0, KD_INSIDE, T0, KD_TCP_SYN, 1000, NULL, 0);
	if (answered)
		add(f, &w0, KD_OUTSIDE, T0, KD_TCP_SYN | KD_TCP_ACK, 7000, NULL, 0);
	add(f, &w0, second, T0 + apart_ns, KD_TCP_ACK, 1001, NULL, 0);
	go(f, &r);
	made = r.count.flows_new;
	result_free(&r);
	return made;
}

static void idle_by_state(void **state)
{
	(void)state;
	idle(60, 480);
	assert_int_equal(flows_of(false, KD_INSIDE, 60 * SEC - 1), 1);
	assert_int_equal(flows_of(false, KD_INSIDE, 60 * SEC), 2);
	/* An answer in time keeps it, one too late begins another. */
	assert_int_equal(flows_of(false, KD_OUTSIDE, 60 * SEC - 1), 1);
	assert_int_equal(flows_of(false, KD_OUTSIDE, 60 * SEC), 2);
	assert_int_equal(flows_of(true, KD_INSIDE, 480 * SEC - 1), 1);
	assert_int_equal(flows_of(true, KD_INSIDE, 480 * SEC), 2);
	/* A box that does not see answers cannot miss them. */
	policy.box.sees = KD_SEES_UPSTREAM;
	assert_int_equal(flows_of(false, KD_INSIDE, 480 * SEC - 1), 1);
	assert_int_equal(flows_of(false, KD_INSIDE, 480 * SEC), 2);
}

/* The record carries the moment of the state it was in. */
static void idle_record(void **state)
{
	struct feed *f = new_feed();
	struct who other = w0;
	struct result r;

	(void)state;
	idle(60, 480);
	other.port++;
	add(f, &w0, KD_INSIDE, T0, KD_TCP_SYN, 1000, NULL, 0);
	add(f, &other, KD_INSIDE, T0 + SEC, KD_TCP_SYN, 1000, NULL, 0);
	add(f, &other, KD_OUTSIDE, T0 + 2 * SEC, KD_TCP_SYN | KD_TCP_ACK, 7000, NULL, 0);
	add(f, &w0, KD_INSIDE, T0 + 5000 * SEC, KD_TCP_SYN, 1000, NULL, 0);
	go(f, &r);
	assert_int_equal(r.event[0].type, KD_EVENT_FLOW);
	assert_true(r.event[0].time_ns == T0 + 60 * SEC);
	assert_int_equal(r.event[0].end_reason, KD_REASON_FLOW_IDLE);
	assert_true(r.event[1].time_ns == T0 + 482 * SEC);
	result_free(&r);
}

/* A full table takes a new flow as soon as one in it is dead, also where an answer made that sooner than it
 * looked: half-open it would have lived 600 s. */
static void idle_makes_room(void **state)
{
	struct feed *f = new_feed();
	struct who w = w0;
	struct result r;
	struct kd_engine *e;

	(void)state;
	idle(600, 60);
	e = engine(4, 64);
	for (unsigned int i = 0; i < 5; i++, w.port++)
		add(f, &w, KD_INSIDE, T0 + i * SEC, KD_TCP_SYN, 1000, NULL, 0);
	add(f, &w0, KD_OUTSIDE, T0 + 10 * SEC, KD_TCP_SYN | KD_TCP_ACK, 7000, NULL, 0);
	w.port++;
	add(f, &w, KD_INSIDE, T0 + 70 * SEC - 1, KD_TCP_SYN, 1000, NULL, 0);
	w.port++;
	add(f, &w, KD_INSIDE, T0 + 70 * SEC, KD_TCP_SYN, 1000, NULL, 0);
	run_on(e, f, 1, 0, &r);
	assert_int_equal(r.count.flows_new, 5);
	assert_int_equal(r.count.untracked, 2);
	assert_non_null(strstr(line_of(&r, 8), "flow.no_payload"));
	result_free(&r);
	kd_engine_free(e);
	feed_free(f);
}

/* ---- a new SYN ---- */

/* A punished tuple, then SYN, SYN/ACK and a clean hello on it; how the SYN/ACK fared. */
static const char *after_syn(unsigned int side, uint32_t seq, struct result *r)
{
	struct feed *f = new_feed();
	uint8_t hello[512];

	add(f, &w0, KD_INSIDE, T0, KD_TCP_SYN, 1000, NULL, 0);
	say_hello(f, &w0, "listed.example");
	add(f, &w0, side, T0 + SEC, KD_TCP_SYN, seq, NULL, 0);
	add(f, &w0, side ^ 1, T0 + SEC + MS, KD_TCP_SYN | KD_TCP_ACK, 9000, NULL, 0);
	add(f, &w0, side, T0 + SEC + 2 * MS, KD_TCP_ACK, seq + 1, hello, put_hello(hello, "other.example"));
	go(f, r);
	assert_string_equal(fared(r, 2), "drop drop.trigger 1");
	return fared(r, 4);
}

static void new_syn(void **state)
{
	struct result r;

	(void)state;
	drop_rule("sni", KD_PHASE_NAMES_BLOCKED, named(LISTED));
	rules[1].residual_ns = 75 * SEC;
	assert_string_equal(after_syn(KD_INSIDE, 5000, &r), "drop drop.later 1");
	assert_int_equal(r.count.flows_new, 1);
	result_free(&r);

	turn(KD_KNOB_FLOW_NEW_SYN, KD_NEW_SYN_CLEARS);
	assert_string_equal(after_syn(KD_INSIDE, 5000, &r), "emit flow.no_payload");
	assert_string_equal(fared(&r, 3), "emit flow.no_payload");
	assert_string_equal(fared(&r, 5), "emit decide.no_rule");
	assert_int_equal(r.count.flows_new, 2);
	result_free(&r);
	/* The first SYN once more begins nothing, nor does one of the other side. */
	assert_string_equal(after_syn(KD_INSIDE, 1000, &r), "drop drop.later 1");
	result_free(&r);
	assert_string_equal(after_syn(KD_OUTSIDE, 5000, &r), "drop drop.later 1");
	result_free(&r);
	/* Other flows have another value. */
	knobs[0].to_set = P_CLIENT;
	assert_string_equal(after_syn(KD_INSIDE, 5000, &r), "drop drop.later 1");
	result_free(&r);
	knobs[0].to_set = P_SERVER;
	assert_string_equal(after_syn(KD_INSIDE, 5000, &r), "emit flow.no_payload");
	result_free(&r);
	/* So has one that speaks another protocol. */
	knobs[0].protocols = HTTP;
	assert_string_equal(after_syn(KD_INSIDE, 5000, &r), "drop drop.later 1");
	result_free(&r);
}

/* ---- ICMP errors ---- */

/* An error from a router on `side` about a packet that came from the other one, `quoted` bytes of it. */
static void add_error(
	struct feed *f, unsigned int side, uint64_t at_ns, uint8_t type, const struct who *w, size_t quoted)
{
	uint8_t body[60] = {0x45, 0, 2, 0, [8] = 1, [9] = KD_PROTO_TCP};
	uint8_t *icmp;

	kd_put32(body + 12, side == KD_OUTSIDE ? w->client : w->server);
	kd_put32(body + 16, side == KD_OUTSIDE ? w->server : w->client);
	kd_put16(body + 20, side == KD_OUTSIDE ? w->port : 443);
	kd_put16(body + 22, side == KD_OUTSIDE ? 443 : w->port);
	add_ip(f, &(struct who){w->client, 0x0a000001, 0}, side, at_ns, KD_PROTO_ICMP, body, quoted);
	icmp = f->pkt[f->n - 1].data + 34;
	icmp[0] = type;
}

/* How such an error fares while the flow is dropped. */
static const char *error_fares(unsigned int side, uint8_t type, struct who about, size_t quoted)
{
	struct feed *f = new_feed();
	struct result r;
	const char *said;

	add(f, &w0, KD_INSIDE, T0, KD_TCP_SYN, 1000, NULL, 0);
	say_hello(f, &w0, "listed.example");
	add_error(f, side, T0 + SEC, type, &about, quoted);
	say(f, &w0, KD_INSIDE, "x", 1);
	go(f, &r);
	said = fared(&r, 3);
	if (strncmp(said, "drop", 4) == 0) {
		/* It made no flow and counts for none; the action tells whose it was. */
		assert_int_equal(r.count.flows_new, 1);
		assert_int_equal(last_flow(&r)->pkts[KD_INSIDE], 3);
		assert_int_equal(last_flow(&r)->pkts[KD_OUTSIDE], 0);
	} else {
		assert_int_equal(r.count.flows_new, 2);
	}
	result_free(&r);
	return said;
}

static void icmp_errors(void **state)
{
	static const uint8_t errors[] = {3, 4, 5, 11, 12}, others[] = {0, 8, 13};
	struct who other = w0;

	(void)state;
	drop_rule("sni", KD_PHASE_NAMES_BLOCKED, named(LISTED));
	assert_string_equal(error_fares(KD_OUTSIDE, 11, w0, 28), "emit flow.other_protocol");
	turn(KD_KNOB_FLOW_ICMP_ERRORS, KD_ICMP_ERRORS_WITH_FLOW);
	for (size_t i = 0; i < sizeof(errors); i++)
		assert_string_equal(error_fares(KD_OUTSIDE, errors[i], w0, 28), "drop flow.icmp_error 1");
	for (size_t i = 0; i < sizeof(others); i++)
		assert_string_equal(error_fares(KD_OUTSIDE, others[i], w0, 28), "emit flow.other_protocol");
	/* Errors of the inside about what the outside sent, too. */
	assert_string_equal(error_fares(KD_INSIDE, 3, w0, 60), "drop flow.icmp_error 1");
	/* Less than eight bytes of the transport say nothing; another flow is not this one. */
	assert_string_equal(error_fares(KD_OUTSIDE, 11, w0, 27), "emit flow.other_protocol");
	other.port++;
	assert_string_equal(error_fares(KD_OUTSIDE, 11, other, 28), "emit flow.other_protocol");
	/* A value for other destinations, and for another protocol than the flow's. */
	knobs[0].to_set = P_CLIENT;
	assert_string_equal(error_fares(KD_OUTSIDE, 11, w0, 28), "emit flow.other_protocol");
	knobs[0].to_set = P_SERVER;
	knobs[0].protocols = TLS;
	assert_string_equal(error_fares(KD_OUTSIDE, 11, w0, 28), "drop flow.icmp_error 1");
	knobs[0].protocols = HTTP;
	assert_string_equal(error_fares(KD_OUTSIDE, 11, w0, 28), "emit flow.other_protocol");
}

/* Who only resets lets errors pass; who drops one direction, those of the other. */
static void icmp_fate(void **state)
{
	(void)state;
	turn(KD_KNOB_FLOW_ICMP_ERRORS, KD_ICMP_ERRORS_WITH_FLOW);
	rule((struct kd_rule){.id = "sni",
		.phase = KD_PHASE_NAMES_BLOCKED,
		.mechanism = KD_MECHANISM_reset,
		.first_term = named(LISTED)});
	assert_string_equal(error_fares(KD_OUTSIDE, 11, w0, 28), "emit flow.other_protocol");
	rules[1].mechanism = KD_MECHANISM_drop;
	rules[1].params[0] = 2; /* to-outside */
	assert_string_equal(error_fares(KD_OUTSIDE, 11, w0, 28), "emit flow.other_protocol");
	assert_string_equal(error_fares(KD_INSIDE, 11, w0, 28), "drop flow.icmp_error 1");
	/* Nor when the residual is over before it comes. */
	rules[1].params[0] = 0;
	rules[1].residual_ns = SEC - MS;
	assert_string_equal(error_fares(KD_OUTSIDE, 11, w0, 28), "emit flow.other_protocol");
	rules[1].residual_ns = SEC;
	assert_string_equal(error_fares(KD_OUTSIDE, 11, w0, 28), "drop flow.icmp_error 1");
}

/* An error whose own ends are not both in the lab is nothing to act on. */
static void icmp_guard(void **state)
{
	static const uint8_t inside[4] = {198, 18, 0, 0}, outside[4] = {203, 0, 113, 0}, router[4] = {10};
	struct kd_engine_config c = KD_ENGINE_CONFIG_DEFAULT;

	(void)state;
	drop_rule("sni", KD_PHASE_NAMES_BLOCKED, named(LISTED));
	turn(KD_KNOB_FLOW_ICMP_ERRORS, KD_ICMP_ERRORS_WITH_FLOW);
	c.policy = &policy;
	for (unsigned int with = 0; with < 2; with++) {
		struct feed *f = new_feed();
		struct kd_engine *e = NULL;
		struct result r;

		assert_int_equal(kd_guard_new(&c.guard), 0);
		assert_int_equal(kd_guard_add(c.guard, false, inside, 24), 0);
		assert_int_equal(kd_guard_add(c.guard, false, outside, 24), 0);
		if (with)
			assert_int_equal(kd_guard_add(c.guard, false, router, 8), 0);
		assert_int_equal(kd_engine_new(&e, &c), 0);
		say_hello(f, &w0, "listed.example");
		add_error(f, KD_OUTSIDE, T0 + SEC, 11, &w0, 28);
		run_on(e, f, 1, 0, &r);
		assert_string_equal(fared(&r, 2), with ? "drop flow.icmp_error 1" : "emit guard.outside_lab");
		result_free(&r);
		kd_engine_free(e);
		kd_guard_free(c.guard);
		feed_free(f);
	}
}

/* What a quotation says, byte by byte: extension headers, fragments, the wrong version. */
static bool quotes(struct kd_view *q, unsigned int version, const uint8_t *bytes, size_t len)
{
	uint8_t data[256] = {0};
	struct kd_view v = {.ip_version = (uint8_t)version,
		.ip_proto = version == 4 ? KD_PROTO_ICMP : KD_PROTO_ICMP6,
		.l4_off = 20,
		.payload_off = 28,
		.payload_len = (uint32_t)len};

	data[20] = version == 4 ? 11 : 3;
	memcpy(data + 28, bytes, len);
	return kd_icmp_quoted(q, &v, data, 28 + len);
}

static void icmp_quoted(void **state)
{
	uint8_t ip4[32] = {0x46, [3] = 200, [9] = KD_PROTO_UDP, [24] = 0x9c, 0x40, 0x01, 0xbb};
	uint8_t ip6[72] = {0x60, [4] = 1, [6] = 60, [40] = 44, [48] = KD_PROTO_TCP, [56] = 0x9c, 0x40, 0, 53};
	struct kd_view q;

	(void)state;
	assert_true(quotes(&q, 4, ip4, 32));
	assert_int_equal(q.ip_proto, KD_PROTO_UDP);
	assert_int_equal(q.sport, 40000);
	assert_int_equal(q.dport, 443);
	assert_false(quotes(&q, 6, ip4, 32));
	assert_false(quotes(&q, 4, ip4, 31));
	ip4[6] = 0x20; /* the first of several fragments has the ports */
	assert_true(quotes(&q, 4, ip4, 32));
	assert_int_equal(q.dport, 443);
	ip4[7] = 1; /* a later one has not */
	assert_false(quotes(&q, 4, ip4, 32));
	ip4[6] = ip4[7] = 0;
	ip4[9] = 47;
	assert_true(quotes(&q, 4, ip4, 32));
	assert_int_equal(q.sport | q.dport, 0);

	ip6[51] = 1;
	assert_true(quotes(&q, 6, ip6, 64));
	assert_int_equal(q.ip_proto, KD_PROTO_TCP);
	assert_int_equal(q.sport, 40000);
	assert_int_equal(q.dport, 53);
	assert_false(quotes(&q, 6, ip6, 63));
	ip6[51] = 9;
	assert_false(quotes(&q, 6, ip6, 64));
}

#define TEST(name) cmocka_unit_test_setup(name, fresh)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(idle_by_state),
		TEST(idle_record),
		TEST(idle_makes_room),
		TEST(new_syn),
		TEST(icmp_errors),
		TEST(icmp_fate),
		TEST(icmp_guard),
		TEST(icmp_quoted),
	};

	return cmocka_run_group_tests_name("state", tests, make_sets, drop_sets);
}

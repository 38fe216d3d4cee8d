/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * frag.inspect: packets in fragments read as one of their flow, on the whole engine. Rules are made by hand:
 * TLS to listed.example is dropped, or reset. Whatever the order of arrival and the burst, all fragments of
 * a packet meet one fate, and what is not dropped leaves as it came but for the TTL.
 */
#include "by_hand.h"

static struct kd_knob knobs[1];

static int fresh(void **state)
{
	start(state);
	knobs[0] = (struct kd_knob){.name = kd_knob_rows[KD_KNOB_FRAG_INSPECT].name,
		.index = KD_KNOB_FRAG_INSPECT,
		.value_index = KD_FRAG_INSPECT_YES,
		.share = UINT64_MAX};
	policy.knobs = knobs;
	policy.nknobs = 1;
	return 0;
}

static void dropping(void)
{
	drop_rule("sni", KD_PHASE_NAMES_BLOCKED, named(LISTED));
}

/* form, direction: as in mechanisms/reset.c, in the order of their words. */
static void resetting(uint8_t form, uint8_t direction)
{
	uint16_t r = rule((struct kd_rule){.id = "sni",
		.phase = KD_PHASE_NAMES_BLOCKED,
		.mechanism = KD_MECHANISM_reset,
		.first_term = named(LISTED)});

	rules[r].params[0] = form;
	rules[r].params[1] = direction;
}

/* The link header in front of IP: Ethernet, a VLAN tag, PPPoE. */
enum link { PLAIN, VLAN, PPPOE };

static size_t put_link(uint8_t *p, enum link link, unsigned int version, size_t ip_len)
{
	static const uint16_t type[2] = {0x0800, 0x86dd}, ppp[2] = {0x0021, 0x0057};
	unsigned int v6 = version == 6;

	if (link == PLAIN) {
		kd_put16(p + 12, type[v6]);
		return 14;
	}
	if (link == VLAN) {
		kd_put16(p + 12, 0x8100);
		kd_put16(p + 14, 100);
		kd_put16(p + 16, type[v6]);
		return 18;
	}
	kd_put16(p + 12, 0x8864);
	kd_put16(p + 14, 0x1100);
	kd_put16(p + 16, 7);
	kd_put16(p + 18, (uint16_t)(ip_len + 2));
	kd_put16(p + 20, ppp[v6]);
	return 22;
}

struct sent {
	unsigned int version, side, id;
	enum link link;
	uint8_t next; /* IPv6: what the fragment header says of what follows */
	const uint8_t *bytes;
	size_t len;
};

static void put_ip(uint8_t *ip, const struct sent *s, size_t from, size_t len, bool last, uint8_t ttl)
{
	uint32_t a = s->side == KD_INSIDE ? CLIENT : SERVER, b = s->side == KD_INSIDE ? SERVER : CLIENT;

	if (s->version == 4) {
		ip[0] = 0x45;
		kd_put16(ip + 2, (uint16_t)(20 + len));
		kd_put16(ip + 4, (uint16_t)s->id);
		kd_put16(ip + 6, (uint16_t)(from / 8 | (last ? 0u : 0x2000u)));
		ip[8] = ttl;
		ip[9] = KD_PROTO_TCP;
		kd_put32(ip + 12, a);
		kd_put32(ip + 16, b);
		return;
	}
	ip[0] = 0x60;
	kd_put16(ip + 4, (uint16_t)(8 + len));
	ip[6] = 44;
	ip[7] = ttl;
	kd_put32(ip + 8, 0x20010db8);
	ip[23] = s->side == KD_INSIDE ? 2 : 10;
	kd_put32(ip + 24, 0x20010db8);
	ip[39] = s->side == KD_INSIDE ? 10 : 2;
	ip[40] = s->next;
	kd_put16(ip + 42, (uint16_t)(from | !last));
	kd_put32(ip + 44, s->id);
}

static void put_fragment(struct feed *f, const struct sent *s, size_t from, size_t to, uint8_t ttl)
{
	size_t header = s->version == 4 ? 20 : 48, ip_len = header + to - from, l3;
	uint8_t *p = calloc(1, 22 + ip_len + 64);

	l3 = put_link(p, s->link, s->version, ip_len);
	put_ip(p + l3, s, from, to - from, to == s->len, ttl);
	memcpy(p + l3 + header, s->bytes + from, to - from);
	assert_true(f->n < PKTS_MAX);
	f->block[f->n] = p;
	f->pkt[f->n] = (struct kd_pkt){.data = p,
		.len = (uint32_t)(l3 + ip_len),
		.wire_len = (uint32_t)(l3 + ip_len),
		.tailroom = 64,
		.side = (uint8_t)s->side,
		.time_ns = f->n == 0 ? T0 : f->pkt[f->n - 1].time_ns + MS,
		.number = f->n + 1,
		.handle = &f->pkt[f->n]};
	f->n++;
}

/* Three fragments, cut at 40 and 80, in the order of the digits. */
static void put_three(struct feed *f, const struct sent *s, const char *order)
{
	static const uint8_t ttl[3] = {64, 10, 64};
	size_t at[4] = {0, 40, 80, s->len};

	for (; *order != '\0'; order++)
		put_fragment(f, s, at[*order - '0'], at[*order - '0' + 1], ttl[*order - '0']);
}

static uint8_t segment[1000];

/* TCP from a side, port 40000 to 443; `before` bytes stay free in front of it. */
static struct sent tcp(
	unsigned int version, unsigned int side, size_t before, uint32_t seq, const void *payload, size_t len)
{
	uint8_t *t = segment + before;

	memset(segment, 0, sizeof(segment));
	kd_put16(t, side == KD_INSIDE ? 40000 : 443);
	kd_put16(t + 2, side == KD_INSIDE ? 443 : 40000);
	kd_put32(t + 4, seq);
	t[12] = 5 << 4;
	t[13] = KD_TCP_ACK;
	memcpy(t + 20, payload, len);
	return (struct sent){version, side, seq, PLAIN, KD_PROTO_TCP, segment, before + 20 + len};
}

static struct sent hello_of(unsigned int version, const char *name)
{
	uint8_t hello[512];
	size_t len = put_hello(hello, name);

	return tcp(version, KD_INSIDE, 0, 1001, hello, len);
}

/* The feed in bursts of one and of many gives the same. */
static void run_both(struct feed *f, struct result *r)
{
	struct kd_engine *e = engine(64, 4096);
	struct result other;

	run_on(e, f, 1, 1, r);
	kd_engine_reset(e);
	run_on(e, f, 64, 0, &other);
	assert_string_equal(r->actions, other.actions);
	assert_memory_equal(&r->count, &other.count, sizeof(other.count));
	result_free(&other);
	kd_engine_free(e);
	feed_free(f);
}

/* Final actions with that text behind "NUMBER.", of a fragment that was held or was not. */
static void all_fared(const struct result *r, unsigned int first, unsigned int last, const char *how)
{
	for (unsigned int i = first; i <= last; i++) {
		char held[96], own[96], all[32];

		snprintf(held, sizeof(held), "\n%u.1 %s ", i, how);
		snprintf(own, sizeof(own), "\n%u.0 %s ", i, how);
		snprintf(all, sizeof(all), "\n%u.", i);
		if (strstr(r->actions, held) == NULL && strstr(r->actions, own) == NULL)
			fail_msg("packet %u is not \"%s\" in\n%s", i, how, r->actions);
	}
}

/* As run_on writes it: fate, side it leaves by, reason, rule. */
#define DROPPED "2 1 drop.trigger 1"
#define DROPPED_LATER "2 1 drop.later 1"

static void put_first(struct feed *f)
{
	add(f, &w0, KD_INSIDE, T0, KD_TCP_SYN, 1000, NULL, 0);
}

static void inspected(void **state)
{
	static const char *const orders[] = {"012", "021", "102", "120", "201", "210"};
	struct result r;

	(void)state;
	dropping();
	for (unsigned int i = 0; i < 12; i++) {
		struct feed *f = new_feed();
		struct sent s = hello_of(i < 6 ? 4 : 6, "listed.example");

		put_first(f);
		put_three(f, &s, orders[i % 6]);
		s.id++;
		put_three(f, &s, orders[i % 6]); /* a later packet of the flow */
		run_both(f, &r);
		all_fared(&r, 2, 4, DROPPED);
		all_fared(&r, 5, 7, DROPPED_LATER);
		assert_true(r.count.flows_new == (i < 6 ? 1 : 2));
		assert_int_equal(count_of(&r, KD_EVENT_VERDICT, "drop.trigger"), 1);
		result_free(&r);
	}
}

/* A name that nobody lists: read, and forwarded as the fragments that came; three of them, one packet of the
 * flow, which nothing has hurt though two left with another's TTL. */
static void clean(void **state)
{
	struct feed *f = new_feed();
	struct sent s = hello_of(4, "other.example");
	const struct kd_event *flow;
	struct result r;

	(void)state;
	dropping();
	put_first(f);
	put_three(f, &s, "012");
	run_both(f, &r);
	all_fared(&r, 2, 2, "0 1 decide.no_rule 0");
	all_fared(&r, 3, 3, "1 1 decide.no_rule 0");
	all_fared(&r, 4, 4, "0 1 decide.no_rule 0");
	flow = last_flow(&r);
	assert_int_equal(flow->pkts[KD_INSIDE], 2);
	assert_int_equal(flow->bytes[KD_INSIDE], 60 + 14 + 20 + s.len);
	assert_int_equal(flow->outcome, KD_OUTCOME_PASSED);
	/* A name in a frame nobody has: its place is not told. */
	for (unsigned int i = 0; i < r.events; i++)
		assert_int_equal(r.event[i].name_at, 0);
	result_free(&r);
}

/* With the knob off nothing is read, and no flow is touched; so where it is on for others. */
static void not_inspected(void **state)
{
	(void)state;
	dropping();
	for (unsigned int i = 0; i < 4; i++) {
		struct feed *f = new_feed();
		struct sent s = hello_of(4, "listed.example");
		struct result r;

		policy.nknobs = i > 0;
		knobs[0].to_set = i == 1 ? P_CLIENT : 0;
		knobs[0].protocols = i == 2 ? BIT(63) : 0;
		knobs[0].share = i == 3 ? 1 : UINT64_MAX;
		put_three(f, &s, "012");
		run_both(f, &r);
		all_fared(&r, 1, 1, "0 1 frag.not_inspected 0");
		all_fared(&r, 3, 3, "0 1 frag.not_inspected 0");
		assert_int_equal(r.count.flows_new, 0);
		result_free(&r);
	}
}

static void for_this_destination(void **state)
{
	struct feed *f = new_feed();
	struct sent s = hello_of(4, "listed.example");
	uint8_t answer[100] = {0x16, 3, 3};
	struct result r;

	(void)state;
	dropping();
	knobs[0].to_set = P_SERVER;
	knobs[0].protocols = TLS;
	put_three(f, &s, "012");
	s = tcp(4, KD_OUTSIDE, 0, 7001, answer,
		sizeof(answer)); /* answers go to the flow that was opened so */
	put_three(f, &s, "012");
	run_both(f, &r);
	all_fared(&r, 1, 3, DROPPED);
	all_fared(&r, 4, 6, "2 0 drop.later 1");
	result_free(&r);
}

/* Links and headers in between: a tag, a PPPoE session, options in the part that is cut. */
static void behind_headers(void **state)
{
	(void)state;
	dropping();
	for (unsigned int i = 0; i < 5; i++) {
		struct feed *f = new_feed();
		struct sent s = hello_of(i < 2 ? 4 : 6, "listed.example");
		struct result r;

		if (i == 4) {
			uint8_t hello[512];

			s = tcp(6, KD_INSIDE, 8, 1001, hello, put_hello(hello, "listed.example"));
			segment[0] = KD_PROTO_TCP;
			s.next = 60; /* destination options */
		} else {
			s.link = i % 2 == 0 ? VLAN : PPPOE;
		}
		put_three(f, &s, "201");
		run_both(f, &r);
		all_fared(&r, 1, 3, DROPPED);
		result_free(&r);
	}
}

/* What cannot be put together leaves as ever, and says why. */
static void cannot_be_read(void **state)
{
	struct sent s = hello_of(4, "listed.example");
	struct feed *f = new_feed();
	struct result r;

	(void)state;
	dropping();
	put_three(f, &s, "012");
	f->pkt[1].len -= 5; /* the capture cut it */
	s.id++;
	segment[12] = 4 << 4; /* not a TCP header */
	put_three(f, &s, "012");
	run_both(f, &r);
	all_fared(&r, 1, 1, "0 1 truncated.capture 0");
	all_fared(&r, 3, 3, "0 1 truncated.capture 0");
	all_fared(&r, 4, 4, "0 1 decode.tcp_offset 0");
	all_fared(&r, 6, 6, "0 1 decode.tcp_offset 0");
	assert_int_equal(r.count.flows_new, 0);
	result_free(&r);
}

/* 65535 bytes are the most that IPv4 can say, header included. */
static void longest(void **state)
{
	static uint8_t bytes[65535];

	(void)state;
	dropping();
	for (size_t over = 0; over < 2; over++) {
		struct feed *f = new_feed();
		struct sent s = hello_of(4, "listed.example");
		struct result r;

		memset(bytes, 0, sizeof(bytes));
		memcpy(bytes, s.bytes, s.len);
		s.bytes = bytes;
		s.len = 65515 + over;
		put_fragment(f, &s, 0, 40000, 64);
		put_fragment(f, &s, 40000, s.len, 64);
		run_both(f, &r);
		all_fared(&r, 1, 2, over ? "0 1 frag.bad_length 0" : DROPPED);
		result_free(&r);
	}
}

/* A hello in fragments arms the reset. An answer is edited if it is a packet, and passes if it is fragments.
 */
static void edits_no_fragments(void **state)
{
	struct feed *f = new_feed();
	struct sent s = hello_of(4, "listed.example");
	uint8_t answer[200] = {0x16, 3, 3};
	struct result r;

	(void)state;
	resetting(0, 0);
	put_first(f);
	put_three(f, &s, "012");
	s = tcp(4, KD_OUTSIDE, 0, 7001, answer, sizeof(answer));
	put_three(f, &s, "012");
	say(f, &w0, KD_OUTSIDE, answer, sizeof(answer));
	run_both(f, &r);
	all_fared(&r, 2, 2, "0 1 reset.armed 1");
	all_fared(&r, 4, 4, "0 1 reset.armed 1");
	all_fared(&r, 5, 5, "0 0 frag.not_edited 1");
	all_fared(&r, 7, 7, "0 0 frag.not_edited 1");
	all_fared(&r, 8, 8, "1 0 reset.rewritten 1");
	result_free(&r);
}

/* Forged packets have the link of the fragments, and leave behind them all. */
static void injects_behind_them(void **state)
{
	struct feed *f = new_feed();
	struct sent s = hello_of(4, "listed.example");
	const char *own, *forged;
	struct result r;

	(void)state;
	resetting(1, 2);
	s.link = VLAN;
	put_three(f, &s, "201");
	run_both(f, &r);
	assert_int_equal(r.count.fates[KD_INJECT], 2);
	own = strstr(r.actions, "\n3.0 1 1 reset.injecting 1 ");
	assert_non_null(own);
	assert_non_null(strstr(r.actions, "\n1.1 0 1 reset.injecting 1 "));
	assert_true(strstr(r.actions, "\n1.1 ") < own);
	forged = strstr(own, "\n3.1 4 1 reset.to_receiver 1 ");
	assert_non_null(forged);
	assert_non_null(strstr(forged, "81000064080045"));
	assert_non_null(strstr(forged, "\n3.2 4 0 reset.to_sender 1 "));
	result_free(&r);
}

#define TEST(name) cmocka_unit_test_setup(name, fresh)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(inspected),
		TEST(clean),
		TEST(not_inspected),
		TEST(for_this_destination),
		TEST(behind_headers),
		TEST(cannot_be_read),
		TEST(longest),
		TEST(edits_no_fragments),
		TEST(injects_behind_them),
	};

	return cmocka_run_group_tests_name("whole", tests, make_sets, drop_sets);
}

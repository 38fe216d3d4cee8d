/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An observer beside a box, on the engine's own contract: what it says was needed, what the box's record says
 * it can, and what the join leaves. A policy made by hand has one rule: TLS opened from inside to
 * listed.example is reset.
 */
#include "feed.h"

#include "engine/spot.h"
#include "report/blind.h"

static struct kd_knob knobs[4];
static const struct who one = {0xc6120002, 0xcb00710a, 40000};
static uint8_t hello[512];
static size_t hello_len;

static int fresh(void **state)
{
	int rc = make_policy(state);

	policy.nknobs = 0;
	policy.knobs = knobs;
	policy.settings.stream_depth = 16000;
	policy.settings.stream_timeout_ns = 60 * SEC;
	policy.settings.fake_ttl_slack = 30;
	policy.settings.fake_near = 4096;
	policy.settings.fake_ahead = 64000;
	hello_len = put_hello(hello, "listed.example");
	return rc;
}

static void set(unsigned int index, unsigned int value)
{
	knobs[policy.nknobs++] = (struct kd_knob){.name = kd_knob_rows[index].name,
		.index = (uint8_t)index,
		.value_index = (uint8_t)value,
		.share = UINT64_MAX};
}

static struct feed *feed(void)
{
	return calloc(1, sizeof(struct feed));
}

static void opened(struct feed *f)
{
	add(f, &one, KD_INSIDE, T0, KD_TCP_SYN, 1000, NULL, 0);
	add(f, &one, KD_OUTSIDE, T0 + 1000, KD_TCP_SYN | KD_TCP_ACK, 7000, NULL, 0);
}

/* Bytes of the hello, from the inside, at the place they have. */
static void part(struct feed *f, uint64_t after_ns, size_t from, size_t to)
{
	add(f, &one, KD_INSIDE, f->pkt[f->n - 1].time_ns + after_ns, KD_TCP_ACK, 1001 + (uint32_t)from,
		hello + from, to - from);
}

/* The same with options in front; their length is a multiple of 4. */
static void optioned(struct feed *f, uint8_t flags, uint32_t seq, const char *options, size_t noptions,
	const uint8_t *payload, size_t len)
{
	uint8_t bytes[600];

	memcpy(bytes, options, noptions);
	memcpy(bytes + noptions, payload, len);
	add(f, &one, KD_INSIDE, f->n > 0 ? f->pkt[f->n - 1].time_ns + 1000 : T0, flags, seq, bytes,
		noptions + len);
	f->pkt[f->n - 1].data[34 + 12] = (uint8_t)((5 + noptions / 4) << 4);
}

static void decoy(struct feed *f, uint32_t seq)
{
	uint8_t other[512];
	size_t len = put_hello(other, "neutral.example");

	add(f, &one, KD_INSIDE, f->pkt[f->n - 1].time_ns + 1000, KD_TCP_ACK, seq, other, len);
}

/* Runs the box and the observer beside it; ret_flow is the first flow record, joined. */
static void watch(const struct feed *from, uint8_t hops, unsigned int burst, struct kd_event *ret_flow)
{
	static struct kd_action actions[KD_OUT_ROOM(KD_BURST_MAX)];
	struct kd_out out = {.actions = actions, .room = KD_OUT_ROOM(KD_BURST_MAX)};
	struct kd_engine_config c = KD_ENGINE_CONFIG_DEFAULT;
	const struct kd_endpoint endpoint = {.hops = hops};
	const struct kd_policy *policies[] = {&policy};
	struct kd_chain_config boxes = {.policies = policies, .n = 1};
	struct feed *f = malloc(sizeof(*f));
	struct kd_event events[64];
	struct kd_blind *blind;
	struct kd_engine *e;
	unsigned int n;

	copy_feed(f, from);
	c.policy = &policy;
	c.flows4_max = 64;
	c.flows6_max = 4;
	c.events_max = 256;
	c.observed = true;
	assert_int_equal(kd_engine_new(&e, &c), 0);
	boxes.engine = c;
	assert_int_equal(kd_blind_new(&blind, &boxes, &endpoint), 0);
	for (unsigned int at = 0; at < f->n; at += burst) {
		kd_engine_burst(e, f->pkt + at, f->n - at < burst ? f->n - at : burst, &out);
		for (uint32_t i = 0; i < out.count; i++)
			assert_int_equal(
				kd_blind_action(blind, &out.actions[i], out.actions[i].len, false), 0);
	}
	assert_int_equal(kd_engine_finish(e), 0);
	n = kd_engine_events(e, events, 64);
	assert_true(n < 64);
	qsort(events, n, sizeof(events[0]), by_key);
	memset(ret_flow, 0, sizeof(*ret_flow));
	for (unsigned int i = 0; i < n; i++) {
		if (events[i].type != KD_EVENT_FLOW)
			continue;
		kd_blind_event(blind, &events[i]);
		if (ret_flow->time_ns == 0)
			*ret_flow = events[i];
	}
	kd_blind_free(blind);
	kd_engine_free(e);
	feed_free(f);
}

static void blind_at(struct feed *f, uint8_t hops, uint64_t spots)
{
	struct kd_event flow;

	for (unsigned int burst = 1; burst <= 32; burst += 31) {
		watch(f, hops, burst, &flow);
		assert_int_equal(flow.spots, spots);
		assert_int_equal(flow.unseen, spots == 0 || spots == KD_SPOT_BIT(UNKNOWN) ? 0 : 1);
	}
	feed_free(f);
}

static void blind(struct feed *f, uint64_t spots)
{
	blind_at(f, 8, spots);
}

static void test_never_acts(void **state)
{
	struct kd_engine_config c = KD_ENGINE_CONFIG_DEFAULT;
	const struct kd_endpoint endpoint = {.hops = 0};
	struct feed *f = feed();
	struct kd_event events[8];
	struct kd_out out = {.actions = NULL};
	struct kd_engine *e;

	(void)state;
	talk(f, &one, T0, "listed.example");
	c.policy = &policy;
	c.endpoint = &endpoint;
	for (unsigned int i = 0; i < f->n; i++)
		f->pkt[i].flags = KD_PKT_SUMS_JUDGED; /* the feed leaves them 0 */
	assert_int_equal(kd_engine_new(&e, &c), 0);
	kd_engine_burst(e, f->pkt, f->n, &out);
	assert_int_equal(out.count, 0);
	assert_int_equal(kd_engine_finish(e), 0);
	/* no record but that one: none of the protocol, the verdict, the flow */
	assert_int_equal(kd_engine_events(e, events, 8), 1);
	assert_int_equal(events[0].type, KD_EVENT_UNSEEN);
	assert_int_equal(events[0].rule, 1);
	assert_int_equal(events[0].number, 4);
	assert_int_equal(events[0].spots, 0);
	assert_int_equal(kd_engine_counters(e)->events_lost, 0);
	/* the same again after a reset */
	kd_engine_reset(e);
	kd_engine_burst(e, f->pkt, f->n, &out);
	assert_int_equal(kd_engine_events(e, events, 8), 1);
	kd_engine_free(e);
	feed_free(f);
}

static void test_segments(void **state)
{
	struct feed *f = feed();

	(void)state;
	opened(f);
	part(f, 1000, 0, 40);
	part(f, 1000, 40, hello_len);
	blind(f, KD_SPOT_BIT(SEGMENTS));
	f = feed();
	opened(f);
	part(f, 1000, 40, hello_len);
	part(f, 1000, 0, 40);
	blind(f, KD_SPOT_BIT(SEGMENTS) | KD_SPOT_BIT(ORDER));
}

/* What the box does is no blind spot of it: in order, only the order is one; in any order it acts. */
static void test_what_the_box_can(void **state)
{
	struct feed *f = feed();

	(void)state;
	set(KD_KNOB_TCP_REASSEMBLE, KD_REASSEMBLE_IN_ORDER);
	opened(f);
	part(f, 1000, 40, hello_len);
	part(f, 1000, 0, 40);
	blind(f, KD_SPOT_BIT(ORDER));
	f = feed();
	opened(f);
	part(f, 1000, 0, 40);
	part(f, 1000, 40, hello_len);
	blind(f, 0);
}

/* How long and how much a box waits says something only of one that waits at all. */
static void test_limits_of_the_box(void **state)
{
	struct feed *f = feed();

	(void)state;
	opened(f);
	part(f, 1000, 0, 40);
	part(f, 61 * SEC, 40, hello_len);
	blind(f, KD_SPOT_BIT(SEGMENTS));
	set(KD_KNOB_TCP_REASSEMBLE, KD_REASSEMBLE_IN_ORDER);
	f = feed();
	opened(f);
	part(f, 1000, 0, 40);
	part(f, 61 * SEC, 40, hello_len);
	blind(f, KD_SPOT_BIT(SLOW));
	policy.settings.stream_depth = 60;
	f = feed();
	opened(f);
	part(f, 1000, 0, 40);
	part(f, 1000, 40, hello_len);
	blind(f, KD_SPOT_BIT(DEPTH));
}

/* Linux keeps the bytes it had first; a box that takes the last ones reads another name. */
static void test_overlap(void **state)
{
	struct feed *f = feed();
	uint8_t other[512];

	(void)state;
	set(KD_KNOB_TCP_REASSEMBLE, KD_REASSEMBLE_ANY_ORDER);
	set(KD_KNOB_TCP_OVERLAP, KD_OVERLAP_LAST);
	assert_int_equal(put_hello(other, "listed.exampla"), hello_len);
	opened(f);
	part(f, 1000, 40, hello_len);
	add(f, &one, KD_INSIDE, T0 + 5000, KD_TCP_ACK, 1001, other, hello_len);
	blind(f, KD_SPOT_BIT(OVERLAP));
}

static void test_options(void **state)
{
	static const char md5[20] = {19, 18}, late[12] = {1, 1, 8, 10, 0, 0, 0, 9},
			  early[12] = {1, 1, 8, 10, 0, 0, 0, 8};
	struct feed *f = feed();
	uint8_t other[512];
	size_t len = put_hello(other, "neutral.example");

	(void)state;
	opened(f);
	optioned(f, KD_TCP_ACK, 1001, md5, sizeof(md5), other, len);
	part(f, 1000, 0, hello_len);
	blind(f, KD_SPOT_BIT(DECOY_MD5));
	f = feed();
	optioned(f, KD_TCP_SYN, 1000, late, sizeof(late), other, 0);
	optioned(f, KD_TCP_ACK, 1001, late, sizeof(late), other, 0);
	optioned(f, KD_TCP_ACK, 1001, early, sizeof(early), other, len);
	optioned(f, KD_TCP_ACK, 1001, late, sizeof(late), hello, hello_len);
	blind(f, KD_SPOT_BIT(DECOY_TIMESTAMP));
	/* the same timestamp is none of the past: the first hello is what arrives */
	f = feed();
	optioned(f, KD_TCP_SYN, 1000, late, sizeof(late), other, 0);
	optioned(f, KD_TCP_ACK, 1001, late, sizeof(late), other, 0);
	optioned(f, KD_TCP_ACK, 1001, late, sizeof(late), other, len);
	optioned(f, KD_TCP_ACK, 1001, late, sizeof(late), hello, hello_len);
	blind(f, 0);
}

static void test_sequence(void **state)
{
	static const struct {
		uint32_t seq;
		uint64_t spots;
	} decoys[] = {{1001 - 1000, KD_SPOT_BIT(DECOY_PAST)}, {1001u - 10000, KD_SPOT_BIT(DECOY_SEQUENCE)},
		{1001 + (2u << 20), KD_SPOT_BIT(DECOY_SEQUENCE)}};

	(void)state;
	for (unsigned int i = 0; i < 3; i++) {
		struct feed *f = feed();

		opened(f);
		decoy(f, decoys[i].seq);
		part(f, 1000, 0, hello_len);
		blind(f, decoys[i].spots);
	}
}

/* What a box makes of a connection that the endpoint goes on with. */
static void test_less_than_the_endpoint(void **state)
{
	struct feed *f = feed();

	(void)state;
	set(KD_KNOB_TCP_REASSEMBLE, KD_REASSEMBLE_ANY_ORDER);
	set(KD_KNOB_TCP_RETRANSMIT, KD_RETRANSMIT_SKIPPED);
	set(KD_KNOB_FLOW_FIN_RST, KD_FIN_RST_CLEARS);
	set(KD_KNOB_FAKE_TTL, KD_FAKE_IS_IGNORED);
	opened(f);
	part(f, 1000, 40, hello_len);
	part(f, 1000, 0, 40);
	blind(f, KD_SPOT_BIT(AGAIN));
	f = feed();
	opened(f);
	add(f, &one, KD_INSIDE, T0 + 2000, KD_TCP_RST, 5, NULL, 0);
	part(f, 1000, 0, hello_len);
	blind(f, KD_SPOT_BIT(CLEARED));
	/* 44 hops under 64 is further than anybody is away, and still enough for 8 */
	f = feed();
	opened(f);
	part(f, 1000, 0, hello_len);
	f->pkt[f->n - 1].data[14 + 8] = 20;
	blind(f, KD_SPOT_BIT(DISBELIEVED));
}

/* Two requests in one segment: the first is none of the rule's. */
static void test_requests(void **state)
{
	static const char two[] = "GET / HTTP/1.1\r\nHost: neutral.example\r\n\r\n"
				  "GET / HTTP/1.1\r\nHost: listed.example\r\n\r\n";
	struct feed *f = feed();

	(void)state;
	terms[1].mask = 1u << KD_PROTOCOL_http;
	opened(f);
	add(f, &one, KD_INSIDE, T0 + 2000, KD_TCP_ACK, 1001, (const uint8_t *)two, sizeof(two) - 1);
	blind(f, KD_SPOT_BIT(AFTER_REQUEST));
	set(KD_KNOB_HTTP_REQUESTS, KD_REQUESTS_ALL);
	f = feed();
	opened(f);
	add(f, &one, KD_INSIDE, T0 + 2000, KD_TCP_ACK, 1001, (const uint8_t *)two, sizeof(two) - 1);
	blind(f, 0);
}

static void test_syn_data(void **state)
{
	struct feed *f = feed();
	uint8_t other[512];
	size_t len = put_hello(other, "neutral.example");

	(void)state;
	add(f, &one, KD_INSIDE, T0, KD_TCP_SYN, 1000, other, len);
	part(f, 1000, 0, hello_len);
	blind(f, KD_SPOT_BIT(DECOY_SYN_DATA));
}

/* A TTL that ends at the 8th router is one too short of 8 routers and the host behind them. */
static void test_ttl(void **state)
{
	static const struct {
		uint8_t ttl, hops;
		uint64_t spots;
	} cases[] = {{8, 8, KD_SPOT_BIT(DECOY_TTL)}, {9, 8, 0}, {3, 0, KD_SPOT_BIT(UNKNOWN)},
		{34, 0, 0} /* 30 hops under 64: as far as anybody is away */, {33, 0, KD_SPOT_BIT(UNKNOWN)}};

	(void)state;
	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct feed *f = feed();

		opened(f);
		decoy(f, 1001);
		f->pkt[f->n - 1].data[14 + 8] = cases[i].ttl;
		part(f, 1000, 0, hello_len);
		blind_at(f, cases[i].hops, cases[i].spots);
	}
}

/* A TTL of the other direction says nothing of the way behind the box. */
static void test_ttl_of_answers(void **state)
{
	struct feed *f = feed();

	(void)state;
	opened(f);
	add(f, &one, KD_OUTSIDE, T0 + 2000, KD_TCP_ACK, 7001, hello, 3);
	f->pkt[f->n - 1].data[14 + 8] = 3;
	part(f, 1000, 0, 40);
	part(f, 1000, 40, hello_len);
	blind_at(f, 0, KD_SPOT_BIT(SEGMENTS));
}

static void test_box(void **state)
{
	struct feed *f;

	(void)state;
	rules[1].presence = 0; /* no node has it */
	f = feed();
	talk(f, &one, T0, "listed.example");
	blind(f, KD_SPOT_BIT(NODE));
	rules[1].presence = UINT64_MAX;
	policy.box.protocols &= ~(1ull << KD_PROTOCOL_tls);
	f = feed();
	talk(f, &one, T0, "listed.example");
	blind(f, KD_SPOT_BIT(PROTOCOL));
	policy.box.protocols = UINT64_MAX;
	f = feed();
	talk(f, &one, T0, "listed.example.");
	blind(f, KD_SPOT_BIT(TRAILING_DOT));
	rules[1].miss = UINT64_MAX;
	f = feed();
	talk(f, &one, T0, "listed.example");
	blind(f, KD_SPOT_BIT(MISSED));
	rules[1].miss = 0;
	f = feed();
	talk(f, &one, T0, "listed.example");
	blind(f, 0);
	f = feed();
	talk(f, &one, T0, "neutral.example");
	blind(f, 0);
}

/* A box that sees upstream only: what comes from outside reaches the endpoint, but makes no flow. */
static void test_not_seen(void **state)
{
	struct feed *f = feed();

	(void)state;
	policy.box.sees = KD_SEES_UPSTREAM;
	rules[1].mechanism = KD_MECHANISM_drop;
	opened(f);
	add(f, &one, KD_OUTSIDE, T0 + 2000, KD_TCP_ACK, 7001, hello, hello_len);
	blind(f, KD_SPOT_BIT(NOT_SEEN));
}

/* The box looked at 20 packets of that side; the 21st is behind its budget, the 20th is not. */
static void test_budget(void **state)
{
	(void)state;
	for (unsigned int before = 19; before <= 20; before++) {
		struct feed *f = feed();

		opened(f);
		for (unsigned int i = 0; i < before; i++)
			add(f, &one, KD_INSIDE, T0 + 2000 + i, KD_TCP_ACK, 1001 + i, (const uint8_t *)"x", 1);
		add(f, &one, KD_INSIDE, T0 + 9000, KD_TCP_ACK, 1001 + before, hello, hello_len);
		blind(f, before == 20 ? KD_SPOT_BIT(BUDGET) : 0);
	}
}

/* What an observer saw after a flow's end is of the next flow with that id. */
static void test_same_id_again(void **state)
{
	struct feed *f = feed();
	struct kd_event flow;

	(void)state;
	opened(f);
	add(f, &one, KD_INSIDE, T0 + 700 * SEC, KD_TCP_SYN, 1000, NULL, 0);
	part(f, 1000, 0, 40);
	part(f, 1000, 40, hello_len);
	watch(f, 0, 1, &flow);
	assert_int_equal(flow.end_reason, KD_REASON_FLOW_IDLE);
	assert_int_equal(flow.spots, 0);
	feed_free(f);
}

/* What is not known is not guessed, and what a rule had hold of has no blind spot. */
static void test_join(void **state)
{
	struct kd_event note = {.rule = 1, .looks = 1, .spots = KD_SPOT_BIT(SEGMENTS) | KD_SPOT_BIT(UNKNOWN)};
	struct kd_event flow = {.looks = 20, .untouched = 1, .reason = KD_REASON_DECIDE_NO_RULE};

	(void)state;
	kd_spots_join(&flow, &note);
	assert_int_equal(flow.spots, KD_SPOT_BIT(UNKNOWN));
	assert_int_equal(flow.unseen, 0);
	note.spots = KD_SPOT_BIT(SEGMENTS);
	flow = (struct kd_event){.looks = 20, .untouched = 0};
	kd_spots_join(&flow, &note);
	assert_int_equal(flow.spots, 0);
	flow = (struct kd_event){.looks = 20, .untouched = 1, .spots = KD_SPOT_BIT(SEGMENTS)};
	flow.reason = KD_REASON_DECIDE_ALLOWED;
	kd_spots_join(&flow, &note);
	assert_int_equal(flow.spots, KD_SPOT_BIT(ALLOWED));
	assert_int_equal(flow.unseen, 1);
	flow = (struct kd_event){.looks = 20, .untouched = 1, .spots = UINT64_MAX};
	kd_spots_join(&flow, NULL);
	assert_int_equal(flow.spots, 0);
}

/* Every spot has a name of its own and a sentence that says something. */
static void test_names(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < KD_SPOT_COUNT; i++) {
		assert_true(strlen(kd_spots[i].sentence) > 20);
		for (unsigned int k = 0; k < i; k++)
			assert_string_not_equal(kd_spots[i].name, kd_spots[k].name);
	}
	/* what an endpoint is said to do exists, as far as this build has the knob */
	for (const struct kd_spot_knob *k = kd_spot_endpoint; k->name != NULL; k++) {
		int knob = kd_knob_find(k->name, strlen(k->name));

		if (knob >= 0)
			assert_true(kd_knob_value((unsigned int)knob, k->value, strlen(k->value)) >= 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_never_acts, fresh, drop_policy),
		cmocka_unit_test_setup_teardown(test_segments, fresh, drop_policy),
		cmocka_unit_test_setup_teardown(test_what_the_box_can, fresh, drop_policy),
		cmocka_unit_test_setup_teardown(test_limits_of_the_box, fresh, drop_policy),
		cmocka_unit_test_setup_teardown(test_overlap, fresh, drop_policy),
		cmocka_unit_test_setup_teardown(test_options, fresh, drop_policy),
		cmocka_unit_test_setup_teardown(test_sequence, fresh, drop_policy),
		cmocka_unit_test_setup_teardown(test_syn_data, fresh, drop_policy),
		cmocka_unit_test_setup_teardown(test_less_than_the_endpoint, fresh, drop_policy),
		cmocka_unit_test_setup_teardown(test_requests, fresh, drop_policy),
		cmocka_unit_test_setup_teardown(test_ttl, fresh, drop_policy),
		cmocka_unit_test_setup_teardown(test_ttl_of_answers, fresh, drop_policy),
		cmocka_unit_test_setup_teardown(test_box, fresh, drop_policy),
		cmocka_unit_test_setup_teardown(test_not_seen, fresh, drop_policy),
		cmocka_unit_test_setup_teardown(test_budget, fresh, drop_policy),
		cmocka_unit_test_setup_teardown(test_same_id_again, fresh, drop_policy),
		cmocka_unit_test_setup_teardown(test_join, fresh, drop_policy),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* The engine and time: when flows die and what is told of it, clocks that jump, what outlives what, and
 * chance. */
#include "feed.h"

/* A flow's record carries the moment it died, to the nanosecond, however late anyone noticed. */
static void test_idle_time(void **state)
{
	struct who w = {.client = 0xc6120002, .server = 0xcb00710a, .port = 40000}, other = w;
	struct feed *f = calloc(1, sizeof(*f));
	struct kd_engine *e = engine(4, 64);
	struct result r;

	(void)state;
	other.port = 50000;
	talk(f, &w, T0, "other.example");
	add(f, &w, KD_INSIDE, T0 + 20000000 + 600 * SEC - 1, KD_TCP_ACK, 1300, NULL, 0);
	add(f, &w, KD_INSIDE, T0 + 20000000 + 1200 * SEC - 1, KD_TCP_ACK, 1300, NULL, 0);
	add(f, &other, KD_INSIDE, T0 + 9000 * SEC, KD_TCP_SYN, 1, NULL, 0);
	run_on(e, f, 1, 0, &r);
	assert_int_equal(r.count.flows_new, 3);
	/* 1: alive at 600 s - 1 ns. 2: dead at exactly 600 s. Both die 600 s after their last packet. */
	assert_int_equal(count_of(&r, KD_EVENT_FLOW, NULL), 3);
	assert_int_equal(r.event[1].type, KD_EVENT_FLOW);
	assert_true(r.event[1].time_ns == T0 + 20000000 + 1200 * SEC - 1);
	assert_int_equal(r.event[1].end_reason, KD_REASON_FLOW_IDLE);
	assert_true(r.event[2].time_ns == T0 + 20000000 + 1800 * SEC - 1);
	result_free(&r);
	kd_engine_free(e);
	feed_free(f);
}

/* No record may come out with a time below a horizon the engine has already promised. */
static void test_horizon(void **state)
{
	static struct kd_action actions[KD_OUT_ROOM(KD_BURST_MAX)];
	struct kd_out out = {.actions = actions, .room = KD_OUT_ROOM(KD_BURST_MAX)};
	struct kd_engine *e = engine(512, 4096);
	struct feed *f = calloc(1, sizeof(*f));
	struct kd_event ev[64];
	uint64_t promised = 0, first = 0;
	unsigned int flows = 0, got;

	(void)state;
	for (unsigned int i = 0; i < 700; i++) {
		struct who w = {.client = 0xc6120002, .server = 0xcb00710a, .port = (uint16_t)(1024 + i)};

		talk(f, &w, T0 + i * 3 * SEC, "other.example");
	}
	for (unsigned int i = 0; i < f->n; i++) {
		kd_engine_burst(e, f->pkt + i, 1, &out);
		kd_engine_advance(e, f->pkt[i].time_ns + SEC / 1000, &out);
		while ((got = kd_engine_events(e, ev, 64)) != 0) {
			for (unsigned int k = 0; k < got; k++) {
				assert_true(ev[k].time_ns >= promised);
				flows += ev[k].type == KD_EVENT_FLOW;
			}
		}
		assert_true(kd_engine_horizon(e) >= promised);
		promised = kd_engine_horizon(e);
		first = first == 0 && promised > T0 ? i : first;
	}
	/* The sweep keeps up: flows die while the feed runs, and the promise moves on. */
	assert_true(flows > 450);
	assert_true(promised > T0 + 2000 * SEC);
	feed_free(f);
	kd_engine_free(e);
}

/* Flows that died unnoticed never cost a live one its place, however seldom the sweep comes by. */
static void test_dead_make_room(void **state)
{
	static const unsigned int burst[] = {1, 256};
	struct feed *f = calloc(1, sizeof(*f));
	struct result r[2];

	(void)state;
	for (unsigned int i = 0; i < 8; i++) {
		struct who w = {.client = 0xc6120002, .server = 0xcb00710a, .port = (uint16_t)(30000 + i)};

		add(f, &w, KD_INSIDE, T0 + i, KD_TCP_SYN, 1, NULL, 0);
	}
	for (unsigned int i = 0; i < 12; i++) {
		struct who w = {.client = 0xc6120002, .server = 0xcb00710a, .port = (uint16_t)(40000 + i)};

		talk(f, &w, T0 + (3600 + 700 * (i / 4)) * SEC + i * 40000000ull, "listed.example");
	}
	for (unsigned int i = 0; i < 2; i++) {
		struct kd_engine *e = engine(8, 256);

		run_on(e, f, burst[i], 0, &r[i]);
		assert_int_equal(r[i].count.untracked, 0);
		assert_int_equal(r[i].count.fates[KD_REWRITE], 12);
		assert_int_equal(r[i].count.flows_new, 20);
		kd_engine_free(e);
	}
	assert_string_equal(r[0].actions, r[1].actions);
	assert_int_equal(r[0].events, r[1].events);
	for (unsigned int i = 0; i < r[0].events; i++)
		assert_memory_equal(&r[0].event[i], &r[1].event[i], sizeof(r[0].event[i]));
	result_free(&r[0]);
	result_free(&r[1]);
	feed_free(f);
}

/* A clock that was not set yet, as routers have it: 1970, and then today. */
static void test_clock_jump(void **state)
{
	struct who early = {.client = 0xc6120002, .server = 0xcb00710a, .port = 30000}, w = early;
	struct feed *f = calloc(1, sizeof(*f));
	struct kd_engine *e = engine(8, 64);
	struct result r;

	(void)state;
	w.port = 40000;
	add(f, &early, KD_INSIDE, 5 * SEC, KD_TCP_SYN, 1, NULL, 0);
	talk(f, &w, T0, "listed.example");
	run_on(e, f, 32, 0, &r);
	assert_int_equal(r.event[0].type, KD_EVENT_FLOW);
	assert_true(r.event[0].time_ns == 605 * SEC);
	assert_int_equal(r.event[2].type, KD_EVENT_VERDICT);
	assert_true(r.event[2].until_ns == T0 + 15000000 + 75 * SEC);
	assert_int_equal(r.event[3].type, KD_EVENT_FLOW);
	assert_true(r.event[3].time_ns == T0 + 20000000);
	result_free(&r);
	kd_engine_free(e);
	feed_free(f);
}

/* What was done to a flow is what its record tells, whatever is found out later; a residual's end names no
 * name. */
static void test_effect_is_remembered(void **state)
{
	struct who w = {.client = 0xc6120002, .server = 0xcb00710a, .port = 40000};
	struct feed *f = calloc(1, sizeof(*f));
	struct kd_engine *e = engine(8, 64);
	const struct kd_event *last;
	uint8_t hello[512];
	struct result r;
	size_t len;

	(void)state;
	talk(f, &w, T0, "listed.example");
	len = put_hello(hello, "other.example");
	add(f, &w, KD_INSIDE, T0 + 100 * SEC, KD_TCP_ACK, 2000, hello, len);
	add(f, &w, KD_OUTSIDE, T0 + 101 * SEC, KD_TCP_ACK, 9000, hello, 100);
	run_on(e, f, 32, 0, &r);
	last = &r.event[r.events - 1];
	assert_int_equal(last->type, KD_EVENT_FLOW);
	assert_int_equal(last->outcome, KD_OUTCOME_BLOCKED);
	assert_string_equal(kd_reason_name(last->reason), "reset.rewritten");
	assert_int_equal(last->rule, 1);
	assert_int_equal(r.event[2].reason, KD_REASON_DECIDE_RESIDUAL_OVER);
	assert_int_equal(r.event[2].field[0].len, KD_FIELD_ABSENT);
	assert_int_equal(r.count.reasons[KD_REASON_FLOW_DONE], 1);
	result_free(&r);
	kd_engine_free(e);
	feed_free(f);
}

/* A hello that the capture cut is not one that the client cut; and bytes beyond a terabyte stand still. */
static void test_wire_length(void **state)
{
	struct who w = {.client = 0xc6120002, .server = 0xcb00710a, .port = 40000};
	struct feed *f = calloc(1, sizeof(*f));
	struct kd_engine *e = engine(8, 64);
	uint8_t hello[512];
	struct result r;
	size_t len;

	(void)state;
	len = put_hello(hello, "listed.example");
	add(f, &w, KD_INSIDE, T0, KD_TCP_ACK, 1, hello, len);
	f->pkt[0].len -= 10; /* wire_len and the IP length still say all of it */
	for (unsigned int i = 0; i < 300; i++) {
		add(f, &w, KD_OUTSIDE, T0, KD_TCP_ACK, 1, NULL, 0);
		f->pkt[f->n - 1].wire_len = UINT32_MAX;
	}
	run_on(e, f, 32, 0, &r);
	assert_int_equal(r.count.reasons[KD_REASON_TRUNCATED_CAPTURE], 1);
	assert_int_equal(r.event[0].type, KD_EVENT_FLOW);
	assert_true(r.event[0].bytes[KD_OUTSIDE] == (1ull << 40) - 1);
	assert_int_equal(r.event[0].pkts[KD_OUTSIDE], 300);
	result_free(&r);
	kd_engine_free(e);
	feed_free(f);
}

/* Misses are drawn per flow: the share is as asked, the same seed misses the same flows, another seed others.
 */
static void test_miss(void **state)
{
	struct feed *f = calloc(1, sizeof(*f));
	struct result r[3];
	unsigned int missed;

	(void)state;
	rules[1].miss = UINT64_MAX / 4;
	for (unsigned int i = 0; i < 400; i++) {
		struct who w = {
			.client = 0xc6120002 + i, .server = 0xcb00710a, .port = (uint16_t)(30000 + i)};

		talk(f, &w, T0 + i * 25000000ull, "listed.example");
	}
	for (unsigned int i = 0; i < 3; i++) {
		struct kd_engine_config c = KD_ENGINE_CONFIG_DEFAULT;
		struct kd_engine *e;

		c.policy = &policy;
		c.flow_ids = true;
		c.seed = i < 2 ? 5 : 6;
		assert_int_equal(kd_engine_new(&e, &c), 0);
		run_on(e, f, 32, 0, &r[i]);
		kd_engine_free(e);
	}
	rules[1].miss = 0;
	missed = count_of(&r[0], KD_EVENT_VERDICT, "decide.missed");
	assert_in_range(missed, 70, 130); /* 100 expected, sigma 8.7 */
	assert_int_equal(count_of(&r[0], KD_EVENT_VERDICT, "reset.armed"), 400 - missed);
	assert_string_equal(r[0].actions, r[1].actions);
	assert_string_not_equal(r[0].actions, r[2].actions);
	for (unsigned int i = 0; i < 3; i++)
		result_free(&r[i]);
	feed_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_idle_time),
		cmocka_unit_test(test_horizon),
		cmocka_unit_test(test_dead_make_room),
		cmocka_unit_test(test_clock_jump),
		cmocka_unit_test(test_effect_is_remembered),
		cmocka_unit_test(test_wire_length),
		cmocka_unit_test(test_miss),
	};

	return cmocka_run_group_tests(tests, make_policy, drop_policy);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What leaves later: when, in which order, what it does to those behind it, and what happens when there is no
 * more room or no more time. delay, of a fixed time, is the mechanism that holds back.
 */
#include "impaired.h"

#include "engine/internal.h"

static struct kd_action actions[KD_OUT_ROOM(KD_BURST_MAX)];
static struct kd_out out = {.actions = actions, .room = KD_OUT_ROOM(KD_BURST_MAX)};
static const struct who w1 = {.client = CLIENT, .server = SERVER, .port = 40001};

static struct kd_engine *holding(uint32_t held_max)
{
	struct kd_engine_config c = KD_ENGINE_CONFIG_DEFAULT;
	struct kd_engine *e = NULL;

	c.policy = &policy;
	c.flows4_max = c.flows6_max = 1024;
	c.events_max = 4096;
	c.held_max = held_max;
	assert_int_equal(kd_engine_new(&e, &c), 0);
	return e;
}

static uint16_t delay_of(uint64_t ns)
{
	uint16_t d = impaired_by(KD_MECHANISM_delay);

	set(d, "time", ns);
	return d;
}

static void give(struct kd_engine *e, struct feed *f, unsigned int i)
{
	kd_engine_burst(e, &f->pkt[i], 1, &out);
	assert_null(kd_counters_unbalanced(kd_engine_counters(e)));
}

static void is(unsigned int i, unsigned int fate, uint64_t number, const char *reason)
{
	assert_true(i < out.count);
	assert_int_equal(actions[i].fate, fate);
	assert_true(actions[i].number == number);
	assert_string_equal(kd_reason_name(actions[i].reason), reason);
}

/* To the nanosecond, by the clock alone or before a packet; kd_engine_due says it. */
static void in_time(void **state)
{
	struct feed *f = new_feed();
	struct kd_engine *e;

	(void)state;
	delay_of(40 * MS);
	e = holding(8);
	hello_at(f, &w0, T0);
	data_at(f, &w0, KD_OUTSIDE, T0 + MS, 10);
	data_at(f, &w1, KD_OUTSIDE, T0 + 41 * MS, 10);
	assert_true(kd_engine_due(e) == UINT64_MAX);
	give(e, f, 0);
	is(0, KD_HOLD, 1, "later.held");
	assert_int_equal(out.count, 1);
	assert_true(kd_engine_due(e) == T0 + 40 * MS);
	assert_true(kd_engine_counters(e)->held == 1);
	give(e, f, 1);
	is(0, KD_HOLD, 2, "later.held");
	kd_engine_advance(e, T0 + 40 * MS - 1, &out);
	assert_int_equal(out.count, 0);
	kd_engine_advance(e, T0 + 40 * MS, &out);
	assert_int_equal(out.count, 1);
	is(0, KD_EMIT, 1, "delay.held");
	assert_true(actions[0].time_ns == T0 + 40 * MS && actions[0].side == KD_OUTSIDE);
	assert_ptr_equal(actions[0].handle, f->pkt[0].handle);
	assert_ptr_equal(actions[0].data, f->pkt[0].data);
	assert_int_equal(actions[0].len, f->pkt[0].len);
	assert_int_equal(actions[0].n, 1);
	give(e, f, 2);
	assert_int_equal(out.count, 2);
	is(0, KD_EMIT, 2, "delay.held");
	assert_int_equal(actions[0].side, KD_INSIDE);
	is(1, KD_EMIT, 3, "classify.unknown");
	assert_true(kd_engine_due(e) == UINT64_MAX);
	assert_true(kd_engine_counters(e)->held == 0);
	kd_engine_free(e);
	feed_free(f);
}

/* Hundreds of flows in a random order of times: they leave by time, and of one time as they came. */
static void in_order(void **state)
{
	uint64_t last_ns = 0, last = 0;
	struct kd_engine *e;
	uint16_t d = delay_of(50 * MS);
	struct feed *f = new_feed();

	(void)state;
	set(d, "jitter", 50 * MS);
	for (unsigned int i = 0; i < 300; i++)
		hello_at(f, &(struct who){CLIENT, SERVER, (uint16_t)(41000 + i)}, T0);
	e = holding(KD_HELD_MAX);
	kd_engine_burst(e, f->pkt, 256, &out);
	assert_int_equal(out.count, 256);
	kd_engine_burst(e, f->pkt + 256, 44, &out);
	kd_engine_advance(e, T0 + SEC, &out);
	assert_true(out.count >= 295); /* a draw of no time at all leaves at once */
	for (uint32_t i = 0; i < out.count; i++) {
		assert_true(actions[i].time_ns > last_ns ||
			    (actions[i].time_ns == last_ns && actions[i].number > last));
		last_ns = actions[i].time_ns;
		last = actions[i].number;
	}
	assert_null(kd_counters_unbalanced(kd_engine_counters(e)));
	kd_engine_free(e);
	feed_free(f);
}

/* The rule lets go of its flow after 10 ms: what comes then passes, but behind what it held back. */
static void behind_others(void **state)
{
	uint16_t d = delay_of(40 * MS);
	struct feed *f = new_feed();
	struct kd_engine *e;

	(void)state;
	rules[d].residual_ns = 10 * MS;
	e = holding(8);
	hello_at(f, &w0, T0);
	data_at(f, &w0, KD_INSIDE, T0 + 20 * MS, 10);
	data_at(f, &w0, KD_OUTSIDE, T0 + 21 * MS, 10);
	data_at(f, &w0, KD_INSIDE, T0 + 60 * MS, 10);
	give(e, f, 0);
	give(e, f, 1);
	is(0, KD_HOLD, 2, "later.held");
	give(e, f, 2); /* the other way nothing waits */
	is(0, KD_EMIT, 3, "classify.unknown");
	give(e, f, 3);
	assert_int_equal(out.count, 3);
	is(0, KD_EMIT, 1, "delay.held");
	is(1, KD_EMIT, 2, "classify.unknown");
	assert_true(actions[1].time_ns == T0 + 40 * MS);
	is(2, KD_EMIT, 4, "classify.unknown");
	kd_engine_free(e);
	feed_free(f);
}

/* Two places: a third packet finds none and is lost, by name; a place that is free again is found. */
static void no_room(void **state)
{
	struct feed *f = new_feed();
	struct kd_engine *e;

	(void)state;
	delay_of(40 * MS);
	e = holding(2);
	hello_at(f, &w0, T0);
	for (unsigned int i = 1; i < 5; i++)
		data_at(f, &w0, KD_INSIDE, T0 + i * 19 * MS, 10);
	give(e, f, 0);
	give(e, f, 1);
	give(e, f, 2); /* at 38 ms */
	is(0, KD_DROP, 3, "later.no_room");
	assert_true(kd_engine_counters(e)->held == 2);
	give(e, f, 3); /* at 57 ms: the first has left at 40 */
	is(0, KD_EMIT, 1, "delay.held");
	is(1, KD_HOLD, 4, "later.held");
	kd_engine_free(e);
	feed_free(f);
}

/* Fragments and packets share the places. */
static void shared_room(void **state)
{
	struct feed *f = new_feed();
	struct kd_engine *e;

	(void)state;
	delay_of(40 * MS);
	e = holding(2);
	hello_at(f, &w0, T0);
	data_at(f, &w0, KD_INSIDE, T0 + MS, 10);
	data_at(f, &w1, KD_INSIDE, T0 + 2 * MS, 12);
	f->pkt[2].data[14 + 6] = 0x20; /* more fragments */
	give(e, f, 0);
	give(e, f, 1);
	give(e, f, 2);
	is(0, KD_EMIT, 3, "frag.no_room");
	kd_engine_free(e);
	feed_free(f);
}

/* A fragment's time and a packet's come in their order within one call. */
static void with_fragments(void **state)
{
	struct feed *f = new_feed();
	struct kd_engine *e;

	(void)state;
	delay_of(4 * SEC);
	e = holding(8);
	hello_at(f, &w0, T0);
	data_at(f, &w1, KD_INSIDE, T0, 12);
	f->pkt[1].data[14 + 6] = 0x20;
	data_at(f, &w0, KD_INSIDE, T0 + 2 * SEC, 10);
	give(e, f, 0);
	give(e, f, 1);
	is(0, KD_HOLD, 2, "frag.held");
	give(e, f, 2);
	assert_true(kd_engine_due(e) == T0 + 4 * SEC);
	kd_engine_advance(e, T0 + 10 * SEC, &out);
	assert_int_equal(out.count, 3);
	is(0, KD_EMIT, 1, "delay.held");
	is(1, KD_DROP, 2, "frag.timeout");
	is(2, KD_EMIT, 3, "delay.held");
	assert_true(kd_engine_due(e) == UINT64_MAX);
	kd_engine_free(e);
	feed_free(f);
}

static void end_of_run(void **state)
{
	struct feed *f = new_feed();
	struct kd_engine *e;

	(void)state;
	delay_of(40 * MS);
	e = holding(8);
	hello_at(f, &w0, T0);
	data_at(f, &w0, KD_INSIDE, T0 + MS, 10);
	give(e, f, 0);
	give(e, f, 1);
	kd_engine_release(e, &out);
	assert_int_equal(out.count, 2);
	is(0, KD_DROP, 1, "later.end_of_run");
	is(1, KD_DROP, 2, "later.end_of_run");
	assert_true(kd_engine_due(e) == UINT64_MAX);
	assert_true(kd_engine_counters(e)->held == 0);
	assert_null(kd_counters_unbalanced(kd_engine_counters(e)));
	kd_engine_free(e);
	feed_free(f);
}

/* Injected frames: copies, at their time, from bytes that stay good until the next call. */
static void frames(void **state)
{
	uint8_t bytes[KD_INJECT_BYTES], was[KD_INJECT_BYTES], long_one[KD_INJECT_BYTES + 1] = {0};
	uint16_t d = delay_of(40 * MS);
	struct feed *f = new_feed();
	struct kd_engine *e = holding(3);
	struct kd_act a = {.engine = e, .out = &out, .rule = d, .pkt = f->pkt, .now_ns = T0};

	(void)state;
	hello_at(f, &w0, T0);
	give(e, f, 0);
	memset(bytes, 1, sizeof(bytes));
	kd_inject_at(&a, bytes, 60, KD_INSIDE, KD_REASON_LATER_HELD, T0 + 50 * MS);
	memset(bytes, 2, sizeof(bytes));
	kd_inject_at(&a, bytes, sizeof(bytes), KD_OUTSIDE, KD_REASON_LATER_HELD, T0 + 30 * MS);
	assert_int_equal(a.injected, 2);
	kd_inject_at(&a, bytes, 60, KD_INSIDE, KD_REASON_LATER_HELD, T0 + 60 * MS); /* the fourth of three */
	assert_true(kd_engine_counters(e)->inject_reasons[KD_REASON_LATER_NO_ROOM] == 1);
	memcpy(was, bytes, sizeof(bytes));
	memset(bytes, 3, sizeof(bytes));
	kd_engine_advance(e, T0 + 40 * MS, &out);
	assert_int_equal(out.count, 2);
	assert_int_equal(actions[0].fate, KD_INJECT);
	assert_true(actions[0].time_ns == T0 + 30 * MS && actions[0].side == KD_OUTSIDE);
	assert_true(actions[0].n == 2 && actions[0].rule == d && actions[0].number == 1);
	assert_int_equal(actions[0].len, sizeof(bytes));
	assert_memory_equal(actions[0].data, was, sizeof(was));
	is(1, KD_EMIT, 1, "delay.held");
	kd_inject_at(&a, long_one, sizeof(long_one), KD_INSIDE, KD_REASON_LATER_HELD, T0 + 60 * MS);
	assert_true(kd_engine_counters(e)->inject_reasons[KD_REASON_LATER_NO_ROOM] == 2);
	assert_memory_equal(actions[0].data, was, sizeof(was));
	assert_null(kd_counters_unbalanced(kd_engine_counters(e)));
	kd_engine_release(e, &out);
	assert_int_equal(out.count, 0);
	assert_true(kd_engine_counters(e)->inject_reasons[KD_REASON_LATER_END_OF_RUN] == 1);
	assert_null(kd_counters_unbalanced(kd_engine_counters(e)));
	kd_engine_free(e);
	feed_free(f);
}

/* A policy that holds nothing back has no pool and pays nothing. */
static void idle(void **state)
{
	struct kd_engine *e;

	(void)state;
	drop_rule("drop", KD_PHASE_NAMES_BLOCKED, named(LISTED));
	e = holding(8);
	assert_true(e->later.most == 0 && e->later.item == NULL && e->copy == NULL);
	kd_engine_free(e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(in_time, start),
		cmocka_unit_test_setup(in_order, start),
		cmocka_unit_test_setup(behind_others, start),
		cmocka_unit_test_setup(no_room, start),
		cmocka_unit_test_setup(shared_room, start),
		cmocka_unit_test_setup(with_fragments, start),
		cmocka_unit_test_setup(end_of_run, start),
		cmocka_unit_test_setup(frames, start),
		cmocka_unit_test_setup(idle, start),
	};

	return cmocka_run_group_tests(tests, make_sets, drop_sets);
}

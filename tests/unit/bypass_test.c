/* SPDX-License-Identifier: BSD-3-Clause */
/* Switches: to the packet whatever the burst, one after another, refused, without effect, cleared by a reset,
 * asked for by another thread while bursts run; the flow table of a box that is a wire; overload by the
 * second. What bypassed rules do to flows is tests/scenario/bypass-*.scn. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#include "by_hand.h"

static int listed_is_dropped(void **state)
{
	start(state);
	drop_rule("listed", KD_PHASE_NAMES_BLOCKED, named(LISTED));
	drop_rule("allowed", KD_PHASE_NAMES_BLOCKED, named(ALLOWED));
	return 0;
}

/* A datagram of its own flow each millisecond. */
static struct feed *datagrams(unsigned int n)
{
	struct feed *f = new_feed();

	for (unsigned int i = 0; i < n; i++) {
		struct who w = {.client = CLIENT, .server = SERVER, .port = (uint16_t)(1000 + i)};

		add_ip(f, &w, KD_INSIDE, T0 + i * MS, KD_PROTO_UDP, (const uint8_t *)"x", 1);
	}
	return f;
}

static void expect_bypassed(const struct result *r, unsigned int from, unsigned int to)
{
	assert_true(strcmp(fared(r, from - 1), "emit box.bypassed") != 0);
	assert_string_equal(fared(r, from), "emit box.bypassed");
	assert_string_equal(fared(r, to), "emit box.bypassed");
	assert_true(strcmp(fared(r, to + 1), "emit box.bypassed") != 0);
	assert_int_equal(r->count.reasons[KD_REASON_BOX_BYPASSED], to - from + 1);
}

static void test_to_the_packet(void **state)
{
	static const unsigned int bursts[] = {1, 3, 32, 256};
	struct feed *f = datagrams(200);
	struct result first = {0}, r;

	(void)state;
	for (unsigned int i = 0; i < 4; i++) {
		struct kd_engine *e = engine(256, 4096);

		/* Packets 41 to 100 come in [T0 + 40 ms, T0 + 100 ms). */
		assert_int_equal(kd_engine_bypass(e, 0, true, T0 + 40 * MS), 0);
		assert_int_equal(kd_engine_bypass(e, 0, false, T0 + 100 * MS), 0);
		assert_true(kd_engine_bypass_waits(e));
		run_on(e, f, bursts[i], i, &r);
		assert_false(kd_engine_bypass_waits(e));
		expect_bypassed(&r, 41, 100);
		assert_int_equal(r.count.flows_new, 140);
		assert_int_equal(r.count.flows_ended, 140);
		assert_int_equal(count_of(&r, KD_EVENT_BOX, NULL), 2);
		for (unsigned int k = 0, n = 0; k < r.events; k++) {
			if (r.event[k].type != KD_EVENT_BOX)
				continue;
			assert_int_equal(r.event[k].time_ns, n == 0 ? T0 + 40 * MS : T0 + 100 * MS);
			assert_int_equal(r.event[k].bypassed, n++ == 0);
		}
		assert_int_equal(r.count.switched_late, 0);
		if (i == 0) {
			first = r;
		} else {
			assert_string_equal(r.actions, first.actions);
			result_free(&r);
		}
		kd_engine_free(e);
	}
	result_free(&first);
	feed_free(f);
}

static void test_from_the_next_packet_on(void **state)
{
	struct feed *f = datagrams(3), *g = datagrams(6);
	struct kd_engine *e = engine(64, 4096);
	struct result r;

	(void)state;
	assert_int_equal(kd_engine_bypass(e, 0, true, 0), 0);
	run_on(e, f, 32, 0, &r);
	assert_int_equal(r.count.reasons[KD_REASON_BOX_BYPASSED], 3);
	assert_int_equal(r.event[0].type, KD_EVENT_BOX);
	assert_int_equal(r.event[0].time_ns, T0);
	assert_int_equal(r.count.flows_new, 0);
	result_free(&r);
	/* A time that has passed: late, and felt by what is still to come. */
	kd_engine_reset(e);
	run_on(e, f, 32, 0, &r);
	result_free(&r);
	assert_int_equal(kd_engine_bypass(e, 0, true, T0), 0);
	run_on(e, g, 32, 0, &r);
	assert_int_equal(r.count.switched_late, 1);
	assert_int_equal(r.count.reasons[KD_REASON_BOX_BYPASSED], 4);
	result_free(&r);
	kd_engine_free(e);
	feed_free(f);
	feed_free(g);
}

/* Two of the same are one, and a packet is not needed to throw one. */
static void test_told_when_something_changes(void **state)
{
	static struct kd_action actions[KD_OUT_ROOM(0)];
	struct kd_out out = {.actions = actions, .room = KD_OUT_ROOM(0)};
	struct kd_engine *e = engine(64, 4096);
	struct kd_event events[8];

	(void)state;
	for (unsigned int i = 0; i < 2; i++)
		assert_int_equal(kd_engine_bypass(e, 2, true, T0 + i), 0);
	kd_engine_advance(e, T0 - 1, &out);
	assert_true(kd_engine_bypass_waits(e));
	kd_engine_advance(e, T0 + 5, &out);
	assert_false(kd_engine_bypass_waits(e));
	assert_int_equal(kd_engine_events(e, events, 8), 1);
	assert_int_equal(events[0].type, KD_EVENT_BOX);
	assert_int_equal(events[0].rule, 2);
	assert_int_equal(events[0].flow_id, 0);
	assert_int_equal(events[0].time_ns, T0);
	assert_true(kd_engine_horizon(e) <= T0);
	kd_engine_free(e);
}

static void test_what_is_refused(void **state)
{
	struct kd_engine *e = engine(64, 4096);

	(void)state;
	assert_int_equal(kd_engine_bypass(e, 3, true, T0), -EINVAL); /* there are two rules */
	for (unsigned int i = 0; i < 16; i++)
		assert_int_equal(kd_engine_bypass(e, (uint16_t)(i % 3), true, T0), 0);
	assert_int_equal(kd_engine_bypass(e, 0, true, T0), -EAGAIN);
	kd_engine_free(e);
}

static void test_reset_puts_all_back(void **state)
{
	struct feed *f = datagrams(3);
	struct kd_engine *e = engine(64, 4096);
	struct result r;

	(void)state;
	say_hello(f, &w0, "listed.example");
	kd_engine_bypass(e, 0, true, 0);
	kd_engine_bypass(e, 1, true, 0);
	run_on(e, f, 32, 0, &r);
	result_free(&r);
	kd_engine_bypass(e, 0, true, T0); /* asked for, and not heard of any more */
	kd_engine_reset(e);
	assert_false(kd_engine_bypass_waits(e));
	run_on(e, f, 32, 0, &r);
	assert_int_equal(r.count.reasons[KD_REASON_BOX_BYPASSED], 0);
	assert_string_equal(fared(&r, 4), "drop drop.trigger 1");
	assert_int_equal(count_of(&r, KD_EVENT_BOX, NULL), 0);
	result_free(&r);
	kd_engine_free(e);
	feed_free(f);
}

/* A bypassed rule is missing, and no other. */
static void test_others_go_on(void **state)
{
	struct feed *f = new_feed();
	struct kd_engine *e = engine(64, 4096);
	struct who other = w0;
	struct result r;

	(void)state;
	other.port++;
	say_hello(f, &w0, "listed.example");
	say_hello(f, &other, "allowed.example");
	kd_engine_bypass(e, 1, true, 0);
	run_on(e, f, 32, 0, &r);
	assert_string_equal(fared(&r, 1), "emit decide.no_rule");
	assert_string_equal(fared(&r, 2), "drop drop.trigger 2");
	result_free(&r);
	kd_engine_free(e);
	feed_free(f);
}

struct flipper {
	struct kd_engine *e;
	_Atomic bool stop;
	unsigned int asked;
};

static void *flip(void *user)
{
	struct flipper *f = user;

	for (unsigned int i = 0; !atomic_load(&f->stop); i++)
		f->asked += kd_engine_bypass(f->e, (uint16_t)(i / 2 % 3), i % 2 == 0, 0) == 0;
	return NULL;
}

static void test_asked_for_by_another_thread(void **state)
{
	struct feed *f = datagrams(2000);
	struct flipper flipper = {.e = engine(4096, 1u << 16)};
	pthread_t thread;
	struct result r;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, flip, &flipper), 0);
	/* However the threads share the CPUs, some is heard of. */
	while (!kd_engine_bypass_waits(flipper.e))
		continue;
	run_on(flipper.e, f, 7, 1, &r);
	atomic_store(&flipper.stop, true);
	pthread_join(thread, NULL);
	assert_true(flipper.asked > 0);
	assert_true(count_of(&r, KD_EVENT_BOX, NULL) > 0);
	assert_int_equal(r.count.in[KD_INSIDE], 2000);
	assert_int_equal(r.count.flows_new + r.count.reasons[KD_REASON_BOX_BYPASSED], 2000);
	result_free(&r);
	kd_engine_free(flipper.e);
	feed_free(f);
}

static void test_a_second_engine_says_nothing(void **state)
{
	struct kd_engine_config c = KD_ENGINE_CONFIG_DEFAULT;
	struct feed *f = datagrams(2);
	struct kd_engine *e;
	struct result r;

	(void)state;
	c.policy = &policy;
	c.switches_untold = true;
	assert_int_equal(kd_engine_new(&e, &c), 0);
	kd_engine_bypass(e, 0, true, T0 + MS);
	run_on(e, f, 32, 0, &r);
	assert_int_equal(r.count.reasons[KD_REASON_BOX_BYPASSED], 1);
	assert_int_equal(count_of(&r, KD_EVENT_BOX, NULL), 0);
	result_free(&r);
	kd_engine_free(e);
	feed_free(f);
}

/* T0 is a whole second: 1000 datagrams of it, and 200 of the next. */
static void test_overload(void **state)
{
	static const unsigned int bursts[] = {1, 32, 255};
	struct feed *f = datagrams(1200);
	struct result r;

	(void)state;
	policy.settings.overload_pkts = 150;
	for (unsigned int i = 0; i < 3; i++) {
		struct kd_engine *e = engine(4096, 1u << 14);

		run_on(e, f, bursts[i], 0, &r);
		assert_string_equal(fared(&r, 150), "emit classify.unknown");
		assert_string_equal(fared(&r, 151), "emit box.overloaded");
		assert_string_equal(fared(&r, 1000), "emit box.overloaded");
		assert_string_equal(fared(&r, 1001), "emit classify.unknown");
		assert_string_equal(fared(&r, 1150), "emit classify.unknown");
		assert_string_equal(fared(&r, 1151), "emit box.overloaded");
		assert_int_equal(r.count.reasons[KD_REASON_BOX_OVERLOADED], 900);
		assert_int_equal(r.count.flows_new, 300);
		result_free(&r);
		kd_engine_free(e);
	}
	feed_free(f);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup(function, listed_is_dropped)
	const struct CMUnitTest tests[] = {
		TEST(test_to_the_packet),
		TEST(test_from_the_next_packet_on),
		TEST(test_told_when_something_changes),
		TEST(test_what_is_refused),
		TEST(test_reset_puts_all_back),
		TEST(test_others_go_on),
		TEST(test_asked_for_by_another_thread),
		TEST(test_a_second_engine_says_nothing),
		TEST(test_overload),
	};

	return cmocka_run_group_tests(tests, make_sets, drop_sets);
}

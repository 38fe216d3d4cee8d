/* SPDX-License-Identifier: BSD-3-Clause */
/* The engine's contract on a policy made by hand: determinism over burst sizes, time, overflow, many engines.
 * What the shipped rules do is the scenarios' business. */
#include "feed.h"

static int by_time(const void *a, const void *b)
{
	const struct kd_pkt *x = a, *y = b;

	if (x->time_ns != y->time_ns)
		return x->time_ns < y->time_ns ? -1 : 1;
	return x->number < y->number ? -1 : x->number > y->number;
}

/* Fifty connections that overlap, a third of them listed, some reused after 60, 80 and 700 seconds. */
static struct feed *busy_feed(void)
{
	struct feed *f = calloc(1, sizeof(*f));

	for (unsigned int round = 0; round < 4; round++) {
		static const uint64_t at[] = {0, 60, 80, 780};

		for (unsigned int i = 0; i < 50; i++) {
			struct who w = {.client = 0xc6120002 + i % 5,
				.server = 0xcb00710a,
				.port = (uint16_t)(40000 + i)};

			talk(f, &w, T0 + at[round] * SEC + i * 1700000,
				i % 3 == 0 ? "www.listed.example" : "other.example");
		}
	}
	qsort(f->pkt, f->n, sizeof(f->pkt[0]), by_time);
	for (unsigned int i = 0; i < f->n; i++) {
		f->block[i] = f->pkt[i].data;
		f->pkt[i].number = i + 1;
	}
	return f;
}

static void test_same_bytes_out(void **state)
{
	static const unsigned int burst[] = {1, 7, 32, 33, 256}, ticks[] = {0, 3};
	struct feed *f = busy_feed();
	struct result first = {0}, r;

	(void)state;
	for (unsigned int b = 0; b < 5; b++) {
		for (unsigned int t = 0; t < 2; t++) {
			struct kd_engine *e = engine(64, 8192);

			run_on(e, f, burst[b], ticks[t], &r);
			kd_engine_free(e);
			if (b == 0 && t == 0) {
				first = r;
				continue;
			}
			assert_string_equal(r.actions, first.actions);
			assert_int_equal(r.events, first.events);
			for (unsigned int i = 0; i < r.events; i++)
				assert_memory_equal(&r.event[i], &first.event[i], sizeof(r.event[i]));
			result_free(&r);
		}
	}
	/* 17 listed of 50; at +60 s still held by the residual, at +80 s and +780 s taken anew. */
	assert_int_equal(count_of(&first, KD_EVENT_VERDICT, "reset.armed"), 3 * 17);
	assert_int_equal(first.count.fates[KD_REWRITE], (1 + 2 + 1 + 1) * 17);
	result_free(&first);
	feed_free(f);
}

static void test_reset_is_fresh(void **state)
{
	struct feed *f = busy_feed();
	struct kd_engine *e = engine(64, 8192);
	struct result a, b;

	(void)state;
	run_on(e, f, 32, 0, &a);
	kd_engine_reset(e);
	run_on(e, f, 32, 0, &b);
	assert_string_equal(a.actions, b.actions);
	assert_int_equal(a.events, b.events);
	assert_memory_equal(&a.count, &b.count, sizeof(a.count));
	result_free(&a);
	result_free(&b);
	kd_engine_free(e);
	feed_free(f);
}

/* SYN, SYN/ACK, ACK, hello and answer in one burst: the flow the hello needs is made by the same burst. */
static void test_one_burst(void **state)
{
	struct who w = {.client = 0xc6120002, .server = 0xcb00710a, .port = 40000};
	struct feed *f = calloc(1, sizeof(*f));
	struct kd_engine *e = engine(4, 64);
	struct result r;

	(void)state;
	talk(f, &w, T0, "listed.example");
	run_on(e, f, 32, 0, &r);
	assert_int_equal(r.count.flows_new, 1);
	assert_int_equal(r.count.fates[KD_REWRITE], 1);
	assert_int_equal(count_of(&r, KD_EVENT_FLOW, "reset.rewritten"), 1);
	result_free(&r);
	kd_engine_free(e);
	feed_free(f);
}

static void test_table_full(void **state)
{
	struct feed *f = calloc(1, sizeof(*f));
	struct kd_engine *e = engine(2, 64);
	struct result r;

	(void)state;
	for (unsigned int i = 0; i < 4; i++) {
		struct who w = {.client = 0xc6120002, .server = 0xcb00710a, .port = (uint16_t)(40000 + i)};

		talk(f, &w, T0 + i * 1000, "listed.example");
	}
	run_on(e, f, 7, 0, &r);
	assert_int_equal(r.count.flows_new, 2);
	assert_int_equal(r.count.untracked, 2 * 5);
	/* Still deciding: all four hellos are recognised; two flows are remembered, so two answers are cut.
	 */
	assert_int_equal(count_of(&r, KD_EVENT_VERDICT, "reset.armed"), 4);
	assert_int_equal(r.count.fates[KD_REWRITE], 2);
	assert_int_equal(r.count.reasons[KD_REASON_FLOW_TABLE_FULL], 2 * 4);
	result_free(&r);
	kd_engine_free(e);
	feed_free(f);
}

/* A ring nobody empties: records are lost and counted, packets are not. */
static void test_ring_full(void **state)
{
	static struct kd_action actions[KD_OUT_ROOM(KD_BURST_MAX)];
	struct kd_out out = {.actions = actions, .room = KD_OUT_ROOM(KD_BURST_MAX)};
	struct feed *f = busy_feed();
	struct kd_engine *e = engine(64, 16);

	(void)state;
	for (unsigned int i = 0; i < f->n; i++)
		kd_engine_burst(e, f->pkt + i, 1, &out);
	assert_true(kd_engine_counters(e)->events_lost > 100);
	assert_null(kd_counters_unbalanced(kd_engine_counters(e)));
	assert_int_equal(kd_engine_counters(e)->fates[KD_REWRITE], 5 * 17);
	kd_engine_free(e);
	feed_free(f);
}

#define MANY 1000

static void test_thousand_engines(void **state)
{
	static struct kd_engine *many[MANY];
	struct who w = {.client = 0xc6120002, .server = 0xcb00710a, .port = 40000};
	struct feed *f = calloc(1, sizeof(*f));
	struct result r;
	char *first = NULL;

	(void)state;
	talk(f, &w, T0, "www.listed.example");
	for (unsigned int i = 0; i < MANY; i++)
		many[i] = engine(8, 16);
	for (unsigned int i = 0; i < MANY; i++) {
		run_on(many[i], f, 5, 0, &r);
		assert_int_equal(r.count.fates[KD_REWRITE], 1);
		if (first == NULL)
			first = strdup(r.actions);
		assert_string_equal(r.actions, first);
		result_free(&r);
	}
	for (unsigned int i = 0; i < MANY; i++)
		kd_engine_free(many[i]);
	free(first);
	feed_free(f);
}

/* A head that does not end within HTTP's 8 KB is not waited for; one byte less of it is "need more". */
static void test_byte_budget(void **state)
{
	struct who w = {.client = 0xc6120002, .server = 0xcb00710a, .port = 40000};
	struct feed *f = calloc(1, sizeof(*f));
	struct kd_engine *e = engine(4, 64);
	uint8_t head[9000];
	struct result r;

	(void)state;
	memset(head, 'a', sizeof(head));
	memcpy(head, "GET / HTTP/1.1\r\nX: ", 19);
	memcpy(head + 8300, "\r\nHost: x.example\r\n\r\n", 21);
	add(f, &w, KD_INSIDE, T0, KD_TCP_ACK, 1, head, 8321);
	add(f, &w, KD_INSIDE, T0, KD_TCP_ACK, 1, head, 8191);
	run_on(e, f, 32, 0, &r);
	assert_int_equal(r.count.reasons[KD_REASON_CLASSIFY_BYTES], 1);
	assert_int_equal(r.count.reasons[KD_REASON_CLASSIFY_UNKNOWN], 0);
	assert_int_equal(count_of(&r, KD_EVENT_APP, NULL), 0);
	result_free(&r);
	kd_engine_free(e);
	feed_free(f);
}

static void test_unbalanced_says_which(void **state)
{
	struct kd_counters c = {.in = {3, 2}, .fates = {[KD_EMIT] = 4, [KD_DROP] = 1}};

	(void)state;
	c.reasons[KD_REASON_DECIDE_NO_RULE] = 5;
	assert_null(kd_counters_unbalanced(&c));
	c.in[0]++;
	assert_non_null(strstr(kd_counters_unbalanced(&c), "packets in"));
	c.held = 1;
	assert_null(kd_counters_unbalanced(&c));
	c.reasons[KD_REASON_DECIDE_NO_RULE]--;
	assert_non_null(strstr(kd_counters_unbalanced(&c), "reasons do not"));
	c.reasons[KD_REASON_NONE]++;
	assert_non_null(strstr(kd_counters_unbalanced(&c), "without a reason"));
	c.reasons[KD_REASON_NONE]--;
	c.reasons[KD_REASON_DECIDE_NO_RULE]++;
	c.fates[KD_INJECT]++;
	assert_non_null(strstr(kd_counters_unbalanced(&c), "injected"));
	c.fates[KD_INJECT]--;
	c.flows_new++;
	assert_non_null(strstr(kd_counters_unbalanced(&c), "flows"));
}

/* `stage.what_happened`, unique over the engine, all protocols and all mechanisms. */
static void test_reason_names(void **state)
{
	const char *seen[KD_REASON_COUNT];
	unsigned int n = 0;

	(void)state;
	for (unsigned int i = 1; i < KD_REASON_COUNT; i++) {
		const struct kd_reason *r = kd_reason((uint16_t)i);

		if (r == NULL)
			continue;
		assert_true(strlen(r->sentence) > 10);
		assert_non_null(strchr(r->name, '.'));
		assert_int_equal(strspn(r->name, "abcdefghijklmnopqrstuvwxyz0123456789._"), strlen(r->name));
		for (unsigned int k = 0; k < n; k++)
			assert_string_not_equal(seen[k], r->name);
		seen[n++] = r->name;
	}
	assert_true(n > KD_REASON_CORE_COUNT);
	assert_null(kd_reason(KD_REASON_COUNT));
	assert_string_equal(kd_reason_name(0xffff), "none");
}

static void test_bad_config(void **state)
{
	struct kd_engine_config c = KD_ENGINE_CONFIG_DEFAULT;
	struct kd_engine *e = (void *)1;

	(void)state;
	assert_int_equal(kd_engine_new(&e, &c), -22);
	c.policy = &policy;
	c.flows4_max = 0;
	assert_int_equal(kd_engine_new(&e, &c), -22);
	c.flows4_max = 4;
	c.events_max = 0;
	assert_int_equal(kd_engine_new(&e, &c), -22);
	assert_ptr_equal(e, (void *)1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_bytes_out),
		cmocka_unit_test(test_reset_is_fresh),
		cmocka_unit_test(test_one_burst),
		cmocka_unit_test(test_table_full),
		cmocka_unit_test(test_ring_full),
		cmocka_unit_test(test_thousand_engines),
		cmocka_unit_test(test_byte_budget),
		cmocka_unit_test(test_unbalanced_says_which),
		cmocka_unit_test(test_reason_names),
		cmocka_unit_test(test_bad_config),
	};

	return cmocka_run_group_tests(tests, make_policy, drop_policy);
}

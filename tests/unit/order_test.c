/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The heap of records against qsort, with many equal keys, and what the horizon lets out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "report/order.h"

#define RECORDS 5000

/* What came out, in order. */
struct seen {
	struct kd_event event[RECORDS];
	unsigned int count;
};

static void see(void *user, const struct kd_event *e)
{
	struct seen *s = user;

	assert_true(s->count < RECORDS);
	s->event[s->count++] = *e;
}

static int cmp(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

/* The order of event.h, then that of arrival, which the test keeps in flow_id. */
static int by_key(const void *x, const void *y)
{
	const struct kd_event *a = x, *b = y;
	int r = cmp(a->time_ns, b->time_ns);

	r = r != 0 ? r : cmp(a->number, b->number);
	r = r != 0 ? r : cmp(a->box, b->box);
	r = r != 0 ? r : cmp(a->n, b->n);
	return r != 0 ? r : cmp(a->flow_id, b->flow_id);
}

static uint32_t draw(uint32_t *state, uint32_t below)
{
	*state = *state * 1664525 + 1013904223;
	return (*state >> 8) % below;
}

static struct kd_event random_event(uint32_t *rng, uint64_t arrival)
{
	struct kd_event e = {
		.time_ns = draw(rng, 12),
		.number = draw(rng, 3),
		.box = (uint8_t)draw(rng, 3),
		.n = draw(rng, 3),
		.flow_id = arrival,
	};

	e.text_len = (uint16_t)draw(rng, KD_EVENT_TEXT + 1);
	memset(e.text, 'a' + (int)(arrival % 26), e.text_len);
	return e;
}

static void expect_sorted(struct seen *got, struct kd_event *in, unsigned int n)
{
	qsort(in, n, sizeof(in[0]), by_key);
	assert_int_equal(got->count, n);
	for (unsigned int i = 0; i < n; i++) {
		assert_int_equal(got->event[i].flow_id, in[i].flow_id);
		assert_memory_equal(&got->event[i], &in[i], sizeof(in[i]));
	}
}

static void like_qsort(void **state)
{
	struct kd_event *in = malloc(RECORDS * sizeof(*in));
	struct seen *got = calloc(1, sizeof(*got));
	struct kd_order *o = NULL;
	uint32_t rng = 1;

	(void)state;
	assert_int_equal(kd_order_new(&o, see, got), 0);
	for (unsigned int i = 0; i < RECORDS; i++) {
		in[i] = random_event(&rng, i);
		assert_int_equal(kd_order_add(o, &in[i]), 0);
	}
	assert_int_equal(got->count, 0);
	kd_order_flush(o, UINT64_MAX);
	expect_sorted(got, in, RECORDS);
	kd_order_free(o);
	free(got);
	free(in);
}

/* Times that move on, with a horizon behind them: flushing often must not change the order. */
static void flushed_on_the_way(void **state)
{
	struct kd_event *in = malloc(RECORDS * sizeof(*in));
	struct seen *got = calloc(1, sizeof(*got));
	struct kd_order *o = NULL;
	uint32_t rng = 7;

	(void)state;
	assert_int_equal(kd_order_new(&o, see, got), 0);
	for (unsigned int i = 0; i < RECORDS; i++) {
		in[i] = random_event(&rng, i);
		in[i].time_ns += i / 10; /* at most 11 later than i / 10, never earlier */
		assert_int_equal(kd_order_add(o, &in[i]), 0);
		if (i % 17 == 0) {
			kd_order_flush(o, i / 10);
			for (unsigned int j = 0; j < got->count; j++)
				assert_true(got->event[j].time_ns < i / 10);
		}
	}
	assert_true(got->count > RECORDS / 2);
	kd_order_flush(o, UINT64_MAX);
	expect_sorted(got, in, RECORDS);
	kd_order_free(o);
	free(got);
	free(in);
}

static void horizon(void **state)
{
	struct seen *got = calloc(1, sizeof(*got));
	struct kd_event e = {0};
	struct kd_order *o = NULL;

	(void)state;
	assert_int_equal(kd_order_new(&o, see, got), 0);
	kd_order_flush(o, UINT64_MAX); /* nothing there */
	for (unsigned int i = 0; i < 3; i++) {
		e.time_ns = i == 2 ? UINT64_MAX : 10 + i;
		assert_int_equal(kd_order_add(o, &e), 0);
	}
	kd_order_flush(o, 10);
	assert_int_equal(got->count, 0);
	kd_order_flush(o, 11);
	assert_int_equal(got->count, 1);
	kd_order_flush(o, UINT64_MAX - 1);
	assert_int_equal(got->count, 2);
	kd_order_flush(o, UINT64_MAX);
	assert_int_equal(got->count, 3);
	assert_int_equal(got->event[2].time_ns, UINT64_MAX);
	kd_order_free(o);
	free(got);
}

/* Left in the heap: freed, not given out. The record is a copy, and its text ends in zeros, not in another's.
 */
static void copies_and_frees(void **state)
{
	struct seen *got = calloc(1, sizeof(*got));
	struct kd_event e = {.time_ns = 1, .text_len = KD_EVENT_TEXT};
	struct kd_order *o = NULL;

	(void)state;
	assert_int_equal(kd_order_new(&o, see, got), 0);
	memset(e.text, 'x', sizeof(e.text));
	assert_int_equal(kd_order_add(o, &e), 0);
	e = (struct kd_event){.time_ns = 2, .text_len = 2, .text = "yy"};
	assert_int_equal(kd_order_add(o, &e), 0);
	e = (struct kd_event){.time_ns = 3};
	assert_int_equal(kd_order_add(o, &e), 0);
	kd_order_flush(o, 3);
	assert_int_equal(got->count, 2);
	assert_int_equal(got->event[0].text[KD_EVENT_TEXT - 1], 'x');
	assert_memory_equal(got->event[1].text, "yy\0\0", 4);
	assert_int_equal(got->event[1].text[KD_EVENT_TEXT - 1], 0);
	kd_order_free(o);
	assert_int_equal(got->count, 2);
	kd_order_free(NULL);
	free(got);
}

/* Flows that end at one moment may share n, a part of their id: then the whole id decides, never who came
 * first. */
static void flow_ids_decide(void **state)
{
	struct seen *got = calloc(1, sizeof(*got));
	struct kd_event e = {.time_ns = 5, .number = KD_NUMBER_END, .n = 7};
	struct kd_order *o = NULL;

	(void)state;
	assert_int_equal(kd_order_new(&o, see, got), 0);
	for (uint64_t id = 4; id > 0; id--) {
		e.flow_id = id << 32;
		assert_int_equal(kd_order_add(o, &e), 0);
	}
	kd_order_flush(o, UINT64_MAX);
	assert_int_equal(got->count, 4);
	for (uint64_t id = 1; id <= 4; id++)
		assert_true(got->event[id - 1].flow_id == id << 32);
	kd_order_free(o);
	free(got);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(like_qsort),
		cmocka_unit_test(flushed_on_the_way),
		cmocka_unit_test(horizon),
		cmocka_unit_test(copies_and_frees),
		cmocka_unit_test(flow_ids_decide),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

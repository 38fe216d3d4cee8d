/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Draws of sampled boxes: what is never drawn, bounds, evenness, and that a draw depends on its seed, box,
 * name and aspect and on nothing else. The two draws given in full were computed apart from this code, so
 * that a seed noted down today draws the same boxes tomorrow.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "rulebook/sample.h"

#define MANY 10000

static struct kd_sample box(uint64_t seed, uint32_t number)
{
	return (struct kd_sample){.seed = seed, .number = number};
}

static void known_draws(void **state)
{
	const struct kd_sample a = box(1, 1), b = box(42, 7);

	(void)state;
	assert_true(kd_sample_draw(&a, "rule:a", "miss") == 0xb793e1c3506b34a9);
	assert_true(kd_sample_draw(&b, "together", "residual.time") == 0x59a8e8bec5c56025);
}

static void of_a_query(void **state)
{
	const struct kd_query query = {.day = 19000, .seed = 5, .sample = 3};
	struct kd_sample s = kd_sample_of(&query);

	(void)state;
	assert_int_equal(s.seed, 5);
	assert_int_equal(s.number, 3);
	s = kd_sample_of(NULL);
	assert_int_equal(s.number, 0);
}

static void depends(void **state)
{
	const struct kd_sample s = box(1, 1), seed = box(2, 1), number = box(1, 2);
	const uint64_t u = kd_sample_draw(&s, "rule:a", "miss");

	(void)state;
	assert_true(u == kd_sample_draw(&s, "rule:a", "miss"));
	assert_true(u != kd_sample_draw(&seed, "rule:a", "miss"));
	assert_true(u != kd_sample_draw(&number, "rule:a", "miss"));
	assert_true(u != kd_sample_draw(&s, "rule:b", "miss"));
	assert_true(u != kd_sample_draw(&s, "rule:a", "share"));
}

static void defaults(void **state)
{
	const struct kd_sample none = box(1, 0), some = box(1, 9);
	const struct kd_number ranged = {.value = 75, .lo = 10, .hi = 90, .ranged = true};
	const struct kd_number plain = {.value = 75, .lo = 75, .hi = 75};
	const struct kd_dates month = {.first = 100, .last = 130}, day = {.first = 7, .last = 7};
	const struct kd_dates open = {.first = INT32_MIN, .last = INT32_MIN};
	const uint32_t weights[] = {2, 5, 1, 5};

	(void)state;
	assert_int_equal(kd_sample_number(&none, "n", "a", &ranged), 75);
	assert_int_equal(kd_sample_number(&some, "n", "a", &plain), 75);
	assert_int_equal(kd_sample_day(&none, "n", &month), 130);
	assert_int_equal(kd_sample_day(&some, "n", &day), 7);
	assert_int_equal(kd_sample_day(&some, "n", &open), INT32_MIN);
	/* The heaviest, the first among equals. */
	assert_int_equal(kd_sample_variant(&none, "n", weights, 4), 1);
	assert_int_equal(kd_sample_variant(&none, "n", weights, 1), 0);
	assert_int_equal(kd_sample_variant(&some, "n", weights, 1), 0);
}

/* Each of 11 numbers comes up about as often as the others: 909 times in 10000, standard deviation 29. */
static void numbers(void **state)
{
	const struct kd_number n = {.value = 15, .lo = 10, .hi = 20, .ranged = true};
	const struct kd_number all = {.value = 0, .lo = 0, .hi = UINT64_MAX, .ranged = true};
	unsigned int hits[11] = {0};

	(void)state;
	for (uint32_t k = 1; k <= MANY; k++) {
		const struct kd_sample s = box(3, k);
		uint64_t v = kd_sample_number(&s, "rule:a", "miss", &n);

		assert_in_range(v, 10, 20);
		hits[v - 10]++;
		/* 2^64 / 10000 is less than 10^16: 1845 steps of that. */
		assert_true(
			kd_sample_number(&s, "rule:a", "miss", &all) ==
			10000000000000000 *
				(uint64_t)((unsigned __int128)kd_sample_draw(&s, "rule:a", "miss") * 1845 >>
					   64));
	}
	for (unsigned int i = 0; i < 11; i++)
		assert_in_range(hits[i], 909 - 150, 909 + 150);
}

/* One name, one aspect: the same place in every range. 0xb793... of 2^64 is 0.71710. */
static void together(void **state)
{
	const struct kd_number narrow = {.value = 10, .lo = 10, .hi = 20, .ranged = true};
	const struct kd_number wide = {.value = 0, .lo = 0, .hi = 999, .ranged = true};
	const struct kd_sample s = box(1, 1);

	(void)state;
	assert_int_equal(kd_sample_number(&s, "rule:a", "miss", &narrow), 10 + 7);
	assert_int_equal(kd_sample_number(&s, "rule:a", "miss", &wide), 717);
}

/* 270 s in steps of 0.1 s: 2701 of them; floor(0.71710 * 2701) = 1936. */
static void round_steps(void **state)
{
	const struct kd_number seconds = {
		.value = 420000000000, .lo = 330000000000, .hi = 600000000000, .ranged = true};
	const struct kd_sample s = box(1, 1);

	(void)state;
	assert_int_equal(kd_sample_number(&s, "rule:a", "miss", &seconds), 523600000000);
}

/* What ends in a range hands over to what begins in it, unless its author says otherwise. */
static void hand_over(void **state)
{
	const struct kd_dates month = {.first = 19000, .last = 19030},
			      other = {.first = 19000, .last = 19031};
	unsigned int apart = 0, moved = 0;

	(void)state;
	for (uint32_t k = 1; k <= 100; k++) {
		const struct kd_sample s = box(1, k);
		int32_t day = kd_sample_day(&s, "rule:before", &month);

		assert_int_equal(kd_sample_day(&s, "rule:after", &month), day);
		assert_int_equal(kd_sample_day(&s, "setting:flow.idle_tcp", &month), day);
		apart += kd_sample_day(&s, "by-itself", &month) != day;
		moved += kd_sample_day(&s, "rule:before", &other) != day;
	}
	assert_in_range(apart, 90, 100);
	assert_in_range(moved, 90, 100);
}

static void days(void **state)
{
	const struct kd_dates three = {.first = -1, .last = 1};
	const struct kd_dates ever = {.first = INT32_MIN, .last = INT32_MAX};
	unsigned int hits[3] = {0}, late = 0;

	(void)state;
	for (uint32_t k = 1; k <= MANY; k++) {
		const struct kd_sample s = box(4, k);
		int32_t day = kd_sample_day(&s, "rule:a", &three);

		assert_true(day >= -1 && day <= 1);
		hits[day + 1]++;
		late += kd_sample_day(&s, "rule:a", &ever) >= 0;
	}
	for (unsigned int i = 0; i < 3; i++)
		assert_in_range(hits[i], 3333 - 300, 3333 + 300);
	assert_in_range(late, 5000 - 300, 5000 + 300);
}

static void variants(void **state)
{
	const uint32_t weights[] = {3, 1}, huge[] = {UINT32_MAX, UINT32_MAX, UINT32_MAX};
	unsigned int hits[2] = {0}, thirds[3] = {0};

	(void)state;
	for (uint32_t k = 1; k <= MANY; k++) {
		const struct kd_sample s = box(5, k);

		hits[kd_sample_variant(&s, "rule:a", weights, 2)]++;
		thirds[kd_sample_variant(&s, "rule:b", huge, 3)]++;
	}
	assert_in_range(hits[0], 7500 - 300, 7500 + 300);
	for (unsigned int i = 0; i < 3; i++)
		assert_in_range(thirds[i], 3333 - 300, 3333 + 300);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_draws),
		cmocka_unit_test(of_a_query),
		cmocka_unit_test(depends),
		cmocka_unit_test(defaults),
		cmocka_unit_test(numbers),
		cmocka_unit_test(together),
		cmocka_unit_test(round_steps),
		cmocka_unit_test(hand_over),
		cmocka_unit_test(days),
		cmocka_unit_test(variants),
	};

	return cmocka_run_group_tests_name("sample", tests, NULL, NULL);
}

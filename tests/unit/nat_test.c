/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of redirected questions: what each part of a key tells apart, whose answer comes first, ends to
 * the nanosecond, and a full table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include "engine/nat.h"

static const uint8_t google[16] = {8, 8, 8, 8}, cloud[16] = {1, 1, 1, 1};

static struct kd_nat_key key_of(uint16_t id)
{
	return (struct kd_nat_key){.client = {198, 18, 0, 2},
		.target = {198, 18, 26, 53},
		.client_port = 40000,
		.port = 53,
		.id = id};
}

static struct kd_nat fresh(uint32_t max)
{
	struct kd_nat n;

	assert_int_equal(kd_nat_init(&n, max, 7), 0);
	return n;
}

static void sizes(void **state)
{
	struct kd_nat n = {.max = 9};

	(void)state;
	assert_int_equal(kd_nat_init(&n, 0, 1), -EINVAL);
	assert_int_equal(kd_nat_init(&n, (1u << 22) + 1, 1), -EINVAL);
	assert_int_equal(n.max, 9);
}

static void every_part_counts(void **state)
{
	struct kd_nat_key key = key_of(1), other;
	struct kd_nat n = fresh(8);

	(void)state;
	assert_true(kd_nat_ask(&n, &key, google, 100, 0));
	for (size_t i = 0; i < sizeof(key); i++) {
		other = key;
		((uint8_t *)&other)[i] ^= 1;
		assert_null(kd_nat_find(&n, &other, 1));
	}
	assert_memory_equal(kd_nat_find(&n, &key, 1)->asked, google, 16);
	kd_nat_free(&n);
}

static void ends(void **state)
{
	struct kd_nat_key key = key_of(1), later = key_of(2);
	struct kd_nat n = fresh(8);

	(void)state;
	assert_int_equal(n.over_ns, 0);
	assert_true(kd_nat_ask(&n, &key, google, 100, 0));
	assert_true(kd_nat_ask(&n, &later, google, 150, 50));
	assert_int_equal(n.over_ns, 150);
	assert_non_null(kd_nat_find(&n, &key, 99));
	assert_null(kd_nat_find(&n, &key, 100));
	/* Asked once more it begins anew, in one place. */
	assert_true(kd_nat_ask(&n, &later, google, 160, 60));
	assert_int_equal(n.top, 2);
	assert_non_null(kd_nat_find(&n, &later, 159));
	assert_null(kd_nat_find(&n, &later, 160));
	kd_nat_free(&n);
}

/* Two were asked the same: the first question first, each once; then what comes twice is the last one's. */
static void one_answer_each(void **state)
{
	struct kd_nat_key key = key_of(1);
	struct kd_nat n = fresh(8);
	struct kd_nat_entry *at;

	(void)state;
	assert_true(kd_nat_ask(&n, &key, google, 100, 0));
	assert_true(kd_nat_ask(&n, &key, cloud, 100, 0));
	at = kd_nat_find(&n, &key, 1);
	assert_memory_equal(at->asked, google, 16);
	at->answered = true;
	at = kd_nat_find(&n, &key, 1);
	assert_memory_equal(at->asked, cloud, 16);
	at->answered = true;
	assert_memory_equal(kd_nat_find(&n, &key, 1)->asked, cloud, 16);
	assert_true(kd_nat_ask(&n, &key, google, 110, 10));
	at = kd_nat_find(&n, &key, 11);
	assert_memory_equal(at->asked, google, 16);
	assert_false(at->answered);
	kd_nat_free(&n);
}

/* Refused only while all live; a round of the table with the dead found again does not lose one. */
static void full(void **state)
{
	struct kd_nat n = fresh(3);

	(void)state;
	for (unsigned int round = 0; round < 2; round++) {
		for (uint16_t i = 0; i < 3; i++) {
			struct kd_nat_key key = key_of(i);

			assert_true(kd_nat_ask(&n, &key, google, 100 + i, 0));
		}
		for (uint16_t i = 3; i < 6; i++) {
			struct kd_nat_key key = key_of(i), old = key_of((uint16_t)(i - 3));
			uint64_t at = 100 + i - 3u;

			assert_false(kd_nat_ask(&n, &key, google, 200, at - 1));
			assert_non_null(kd_nat_find(&n, &old, at - 1));
			assert_true(kd_nat_ask(&n, &key, google, 200, at));
			assert_non_null(kd_nat_find(&n, &key, at));
		}
		kd_nat_reset(&n);
		assert_int_equal(n.over_ns, 0);
		for (uint16_t i = 0; i < 6; i++) {
			struct kd_nat_key key = key_of(i);

			assert_null(kd_nat_find(&n, &key, 1));
		}
	}
	kd_nat_free(&n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes),
		cmocka_unit_test(every_part_counts),
		cmocka_unit_test(ends),
		cmocka_unit_test(one_answer_each),
		cmocka_unit_test(full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

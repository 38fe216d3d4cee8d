/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Values of the terms of `when` that are cut short. What whole ones mean, and what is said of wrong ones, is
 * when_test.c's.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rulebook/when_values.h"

/* Texts that need not end where they are said to: exact-size copies show a read past the end. */
static void exact_values(void **state)
{
	static const char *const texts[] = {"", " ", "0x", "0x1", "1-", ">", ">=", "<= ", "1 B..", "..", ".",
		"..1", "1..", "08:", "08:0", "08:00-", "08:00-09:0", "4", "4:", "4:0", "4: ?", "1.2..", "1."};
	static kd_value_parse *const parsers[] = {
		kd_value_port, kd_value_length, kd_value_nth, kd_value_hours, kd_value_number};
	struct kd_arena *arena = kd_arena_new();

	(void)state;
	assert_non_null(arena);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		size_t len = strlen(texts[i]);
		char *copy = malloc(len > 0 ? len : 1);
		struct kd_span spans[KD_VALUE_SPANS];
		struct kd_byte_run run;
		struct kd_fault fault;

		assert_non_null(copy);
		memcpy(copy, texts[i], len);
		for (size_t p = 0; p < sizeof(parsers) / sizeof(parsers[0]); p++) {
			int n = parsers[p](spans, "1.2=0x0303", copy, len, &fault);
			/* Nearly all of these are cut short. */
			bool good = (p == 0 && strcmp(texts[i], "0x1") == 0) ||
				    (p == 0 && strcmp(texts[i], "4") == 0) ||
				    (p == 2 && strcmp(texts[i], "4") == 0) ||
				    (p == 4 && (strcmp(texts[i], "0x1") == 0 || strcmp(texts[i], "4") == 0));

			assert_int_equal(n, good ? 1 : -EINVAL);
		}
		assert_int_equal(kd_value_bytes(&run, arena, copy, len, &fault), -EINVAL);
		free(copy);
	}
	kd_arena_free(arena);
}

static void spans_are_joined(void **state)
{
	struct kd_span s[] = {{5, 9}, {UINT64_MAX, UINT64_MAX}, {1, 2}, {3, 4}, {7, 8}, {11, 11}};

	(void)state;
	assert_int_equal(kd_spans_tidy(s, 6), 3);
	assert_int_equal(s[0].lo, 1);
	assert_int_equal(s[0].hi, 9);
	assert_int_equal(s[1].lo, 11);
	assert_int_equal(s[1].hi, 11);
	assert_true(s[2].lo == UINT64_MAX && s[2].hi == UINT64_MAX);
	s[0] = (struct kd_span){4, UINT64_MAX};
	s[1] = (struct kd_span){9, 10};
	assert_int_equal(kd_spans_tidy(s, 2), 1);
	assert_true(s[0].lo == 4 && s[0].hi == UINT64_MAX);
	assert_int_equal(kd_spans_tidy(NULL, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exact_values),
		cmocka_unit_test(spans_are_joined),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

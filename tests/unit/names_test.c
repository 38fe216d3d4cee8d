/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The name table against the words of names.h, and against a comparison of every name with every host that is
 * too slow to be wrong. Speed is the bench's affair; the memory per name is counted here because it is exact.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rulebook/names.h"

#define BOTH (KD_NAME_SELF | KD_NAME_BELOW)

struct row {
	const char *name;
	unsigned int what, set;
};

static struct kd_names *build(const struct row *rows, size_t n)
{
	struct kd_names_builder *b = kd_names_builder_new();
	struct kd_names *names = NULL;

	assert_non_null(b);
	for (size_t i = 0; i < n; i++) {
		char *name = malloc(strlen(rows[i].name)); /* exact, and gone before the table is used */

		assert_non_null(name);
		memcpy(name, rows[i].name, strlen(rows[i].name));
		assert_int_equal(kd_names_add(b, name, strlen(rows[i].name), rows[i].what, rows[i].set), 0);
		free(name);
	}
	assert_int_equal(kd_names_build(&names, b), 0);
	assert_non_null(names);
	return names;
}

static struct kd_set_bits match(const struct kd_names *names, const char *host, size_t len)
{
	struct kd_set_bits bits = {0};
	uint8_t *copy = malloc(len);

	if (len > 0)
		memcpy(copy, host, len);
	kd_names_match(names, copy, len, &bits);
	free(copy);
	return bits;
}

/* The sets as a string of ascending numbers: "1,4". */
static const char *sets(const struct kd_names *names, const char *host)
{
	static char text[2048];
	struct kd_set_bits bits = match(names, host, strlen(host));
	size_t at = 0;

	text[0] = '\0';
	for (unsigned int set = 0; set < KD_NAME_SETS; set++)
		if (kd_set_bits_has(&bits, set))
			at += (size_t)snprintf(text + at, sizeof(text) - at, at ? ",%u" : "%u", set);
	return text;
}

static void test_self_and_below(void **state)
{
	static const struct row rows[] = {
		{"example.com", BOTH, 1},
		{"example.net", KD_NAME_SELF, 2},
		{"example.org", KD_NAME_BELOW, 3},
		{"test", BOTH, 4},
	};
	struct kd_names *names = build(rows, 4);

	(void)state;
	assert_int_equal(kd_names_count(names), 4);
	assert_string_equal(sets(names, "example.com"), "1");
	assert_string_equal(sets(names, "www.example.com"), "1");
	assert_string_equal(sets(names, "a.b.c.example.com"), "1");
	assert_string_equal(sets(names, "notexample.com"), "");
	assert_string_equal(sets(names, "example.com.example"), "");
	assert_string_equal(sets(names, "com"), "");
	assert_string_equal(sets(names, "example.net"), "2");
	assert_string_equal(sets(names, "www.example.net"), "");
	assert_string_equal(sets(names, "example.org"), "");
	assert_string_equal(sets(names, "www.example.org"), "3");
	assert_string_equal(sets(names, "test"), "4");
	assert_string_equal(sets(names, "a.test"), "4");
	assert_string_equal(sets(names, "attest"), "");
	assert_string_equal(sets(names, ""), "");
	assert_string_equal(sets(names, "."), "");
	kd_names_free(names);
}

static void test_case_and_dots(void **state)
{
	static const struct row rows[] = {{"Example.COM", BOTH, 1}, {"dotted.example.", BOTH, 2}};
	struct kd_names *names = build(rows, 2);

	(void)state;
	assert_string_equal(sets(names, "EXAMPLE.com"), "1");
	assert_string_equal(sets(names, "wWw.eXample.cOm"), "1");
	assert_string_equal(sets(names, "example.com."), ""); /* X-THR-2021 */
	assert_string_equal(sets(names, "www.example.com."), "");
	assert_string_equal(sets(names, "dotted.example."), "2");
	assert_string_equal(sets(names, "dotted.example"), "");
	assert_string_equal(sets(names, ".example.com"), ""); /* nothing is below */
	assert_string_equal(sets(names, "..example.com"), "1");
	assert_string_equal(sets(names, "ex@mple.com"), "");
	assert_string_equal(sets(names, "EXAMPLE\x0e"
					"COM"),
		""); /* '.' ^ 0x20 */
	kd_names_free(names);
}

static void test_many_sets(void **state)
{
	static const struct row rows[] = {
		{"a.example", KD_NAME_SELF, 7},
		{"a.example", KD_NAME_BELOW, 7},
		{"A.example", KD_NAME_SELF, 255},
		{"a.example", BOTH, 1},
		{"example", KD_NAME_BELOW, 9},
		{"a.example", KD_NAME_BELOW, 255},
		{"a.example", BOTH, 1},
		{"b.example", KD_NAME_SELF, 3},
		{"b.example", KD_NAME_BELOW, 4},
	};
	struct kd_names *names = build(rows, sizeof(rows) / sizeof(rows[0]));

	(void)state;
	assert_int_equal(kd_names_count(names), 3);
	assert_string_equal(sets(names, "a.example"), "1,7,9,255");
	assert_string_equal(sets(names, "x.a.example"), "1,7,9,255");
	assert_string_equal(sets(names, "b.example"), "3,9");
	assert_string_equal(sets(names, "x.b.example"), "4,9");
	assert_string_equal(sets(names, "example"), "");
	kd_names_free(names);
}

static void test_match_adds(void **state)
{
	static const struct row rows[] = {{"a.example", BOTH, 2}};
	struct kd_names *names = build(rows, 1);
	struct kd_set_bits bits = {0};

	(void)state;
	kd_set_bits_add(&bits, 200);
	kd_names_match(names, (const uint8_t *)"a.example", 9, &bits);
	kd_names_match(names, (const uint8_t *)"b.example", 9, &bits);
	assert_true(kd_set_bits_has(&bits, 200));
	assert_true(kd_set_bits_has(&bits, 2));
	kd_names_free(names);
}

static void test_longest_host(void **state)
{
	static const struct row rows[] = {{"example", BOTH, 1}};
	struct kd_names *names = build(rows, 1);
	char host[300];

	(void)state;
	for (size_t len = 240; len <= sizeof(host); len++) {
		struct kd_set_bits bits;

		memset(host, 'a', len);
		for (size_t i = 1; i < len; i += 2)
			host[i] = '.'; /* as many labels as fit */
		memcpy(host + len - 8, ".example", 8);
		bits = match(names, host, len);
		assert_int_equal(kd_set_bits_has(&bits, 1), len <= 253);
	}
	kd_names_free(names);
}

static void test_only_dots(void **state)
{
	static const struct row rows[] = {{"a", BOTH, 1}, {".", BOTH, 2}, {"..", BOTH, 3}};
	struct kd_names *names = build(rows, 3);
	char host[253];

	(void)state;
	memset(host, '.', sizeof(host));
	for (size_t len = 1; len <= sizeof(host); len++) {
		struct kd_set_bits bits = match(names, host, len);

		assert_int_equal(kd_set_bits_has(&bits, 1), 0);
		assert_int_equal(kd_set_bits_has(&bits, 2), len == 1 || len >= 3);
		assert_int_equal(kd_set_bits_has(&bits, 3), len == 2 || len >= 4);
	}
	kd_names_free(names);
}

static void test_refused(void **state)
{
	struct kd_names_builder *b = kd_names_builder_new();
	struct kd_names *names = NULL;
	char name[KD_NAME_MAX + 1];

	(void)state;
	memset(name, 'a', sizeof(name));
	assert_int_equal(kd_names_add(b, name, 0, BOTH, 1), -EINVAL);
	assert_int_equal(kd_names_add(b, name, KD_NAME_MAX + 1, BOTH, 1), -EINVAL);
	assert_int_equal(kd_names_add(b, name, 3, 0, 1), -EINVAL);
	assert_int_equal(kd_names_add(b, name, 3, 4, 1), -EINVAL);
	assert_int_equal(kd_names_add(b, name, 3, BOTH, 0), -EINVAL);
	assert_int_equal(kd_names_add(b, name, 3, BOTH, KD_NAME_SETS), -EINVAL);
	assert_int_equal(kd_names_add(b, name, KD_NAME_MAX, BOTH, KD_NAME_SETS - 1), 0);
	assert_int_equal(kd_names_build(&names, b), 0);
	assert_int_equal(kd_names_count(names), 1);
	kd_names_free(names);
	kd_names_free(NULL);
}

static void test_empty_table(void **state)
{
	struct kd_names *names = NULL;

	(void)state;
	assert_int_equal(kd_names_build(&names, kd_names_builder_new()), 0);
	assert_int_equal(kd_names_count(names), 0);
	assert_string_equal(sets(names, "example.com"), "");
	kd_names_free(names);
}

static uint32_t next_random(uint32_t *x)
{
	*x = *x * 1664525 + 1013904223;
	return *x >> 8;
}

static size_t random_name(char *to, uint32_t *x)
{
	size_t len = 1 + next_random(x) % 7;

	for (size_t i = 0; i < len; i++)
		to[i] = "abA.."[next_random(x) % 5];
	to[len] = '\0';
	return len;
}

static bool covers(const char *name, unsigned int what, const char *host)
{
	size_t n = strlen(name), h = strlen(host);

	if (n > h)
		return false;
	for (size_t i = 0; i < n; i++)
		if (tolower(name[i]) != tolower(host[h - n + i]))
			return false;
	if (n == h)
		return (what & KD_NAME_SELF) != 0;
	return h >= n + 2 && host[h - n - 1] == '.' && (what & KD_NAME_BELOW) != 0;
}

/* Few letters and many dots, so that names meet. */
static void test_against_every_name(void **state)
{
	static char text[400][8];
	static struct row rows[400];
	uint32_t x = 20220320;
	unsigned int hits = 0;

	(void)state;
	for (unsigned int round = 0; round < 20; round++) {
		size_t n = 1 + next_random(&x) % 400;
		struct kd_names *names;

		for (size_t i = 0; i < n; i++) {
			random_name(text[i], &x);
			rows[i] = (struct row){text[i], 1 + next_random(&x) % 3, 1 + next_random(&x) % 255};
		}
		names = build(rows, n);
		for (unsigned int q = 0; q < 500; q++) {
			struct kd_set_bits want = {0}, got;
			char host[24];
			size_t len = random_name(host, &x);

			len += random_name(host + len, &x);
			got = match(names, host, len);
			for (size_t i = 0; i < n; i++)
				if (covers(rows[i].name, rows[i].what, host))
					kd_set_bits_add(&want, rows[i].set);
			assert_memory_equal(&got, &want, sizeof(want));
			hits += want.word[0] != 0;
		}
		kd_names_free(names);
	}
	assert_true(hits > 1000 && hits < 9000); /* or the test says nothing */
}

static void test_memory_per_name(void **state)
{
	struct kd_names_builder *b = kd_names_builder_new();
	struct kd_names *names = NULL;
	const size_t n = 100000;

	(void)state;
	for (size_t i = 0; i < n; i++) {
		char name[32];
		int len = snprintf(name, sizeof(name), "list%07zu.test", i); /* 16 characters */

		assert_int_equal(kd_names_add(b, name, (size_t)len, BOTH, 1), 0);
	}
	assert_int_equal(kd_names_build(&names, b), 0);
	assert_int_equal(kd_names_count(names), n);
	assert_true(kd_names_bytes(names) >= n * (16 + 1));
	assert_true(kd_names_bytes(names) <= n * 64);
	assert_string_equal(sets(names, "a.list0099999.test"), "1");
	assert_string_equal(sets(names, "a.list0100000.test"), "");
	kd_names_free(names);
}

/* The same names in many sets, as when several rules use one list, cost no more than once: the chain of sets
 * is shared, and the table is as wide as there are names. */
static void test_memory_of_doubles(void **state)
{
	struct kd_names_builder *b = kd_names_builder_new();
	struct kd_names *names = NULL;
	const size_t n = 20000;

	(void)state;
	for (unsigned int set = 5; set > 0; set--) {
		for (size_t i = 0; i < n; i++) {
			char name[32];
			int len = snprintf(name, sizeof(name), "list%07zu.test", i);

			assert_int_equal(
				kd_names_add(b, name, (size_t)len, i % 2 != 0 ? BOTH : KD_NAME_BELOW, set),
				0);
		}
	}
	assert_int_equal(kd_names_add(b, "list0000002.test", 16, KD_NAME_SELF, 3), 0);
	assert_int_equal(kd_names_build(&names, b), 0);
	assert_int_equal(kd_names_count(names), n);
	assert_true(kd_names_bytes(names) <= n * 64);
	assert_string_equal(sets(names, "a.list0000001.test"), "1,2,3,4,5");
	assert_string_equal(sets(names, "list0000001.test"), "1,2,3,4,5");
	assert_string_equal(sets(names, "a.list0000002.test"), "1,2,3,4,5");
	assert_string_equal(sets(names, "list0000002.test"), "3");
	assert_string_equal(sets(names, "list0000004.test"), "");
	assert_string_equal(sets(names, "a.list0019999.test"), "1,2,3,4,5");
	kd_names_free(names);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_self_and_below),
		cmocka_unit_test(test_case_and_dots),
		cmocka_unit_test(test_many_sets),
		cmocka_unit_test(test_match_adds),
		cmocka_unit_test(test_longest_host),
		cmocka_unit_test(test_only_dots),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_empty_table),
		cmocka_unit_test(test_against_every_name),
		cmocka_unit_test(test_memory_per_name),
		cmocka_unit_test(test_memory_of_doubles),
	};

	return cmocka_run_group_tests_name("names", tests, NULL, NULL);
}

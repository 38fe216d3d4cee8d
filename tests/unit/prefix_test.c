/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One prefix or range as text against the words of list.h. Ranges are split by hand: the largest aligned
 * block first, then the next.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rulebook/list.h"

/* The prefix as text, or what was wrong with it. */
static const char *parsed(const char *text, bool lenient)
{
	static char out[600];
	char *exact = malloc(strlen(text) + (text[0] == '\0')); /* no end mark */
	struct kd_prefix p;
	struct kd_fault fault;
	int rc;

	assert_non_null(exact);
	memcpy(exact, text, strlen(text));
	rc = kd_prefix_parse(&p, exact, strlen(text), lenient, &fault);
	free(exact);
	if (rc == 0)
		kd_prefix_text(out, &p);
	else
		snprintf(out, sizeof(out), "%s; %s", fault.message, fault.hint);
	assert_true(rc == 0 || rc == -EINVAL);
	return out;
}

static void test_prefix(void **state)
{
	static const char *const bad[] = {"", "/", "/24", "192.0.2.0/", "192.0.2.0/-1", "192.0.2.0/+8",
		"192.0.2.0/024", "192.0.2.0/1000", "192.0.2.0/2 ", "192.0.2", "192.0.2.0.0", "192.0.2.256",
		"192.0.02.1", " 192.0.2.1", "2001:db8::/", "2001:db8:::1", "2001:db8",
		"192.0.2.0/255.255.255.0", "fe80::1%eth0",
		"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc/128"};
	char want[600];

	(void)state;
	assert_string_equal(parsed("192.0.2.0/24", false), "192.0.2.0/24");
	assert_string_equal(parsed("192.0.2.1", false), "192.0.2.1/32");
	assert_string_equal(parsed("0.0.0.0/0", false), "0.0.0.0/0");
	assert_string_equal(parsed("255.255.255.255/32", false), "255.255.255.255/32");
	assert_string_equal(parsed("2001:DB8::/32", false), "2001:db8::/32");
	assert_string_equal(parsed("::1", false), "::1/128");
	assert_string_equal(parsed("::/0", false), "::/0");
	assert_string_equal(parsed("::ffff:192.0.2.1/128", false), "::ffff:192.0.2.1/128");
	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(want, sizeof(want),
			"\"%s\" is not an address or prefix; expected e.g. 192.0.2.0/24, 192.0.2.1 or "
			"2001:db8::/32",
			bad[i]);
		assert_string_equal(parsed(bad[i], false), want);
		assert_string_equal(parsed(bad[i], true), want);
	}
	assert_string_equal(
		parsed("192.0.2.0/33", true), "\"192.0.2.0/33\" is longer than an address; IPv4 has 32");
	assert_string_equal(parsed("::/129", true), "\"::/129\" is longer than an address; IPv6 has 128");
}

static void test_bits_behind_the_prefix(void **state)
{
	(void)state;
	assert_string_equal(parsed("192.0.2.1/24", false),
		"\"192.0.2.1/24\" has bits behind its prefix length; write \"192.0.2.0/24\"");
	assert_string_equal(parsed("198.19.0.0/14", false),
		"\"198.19.0.0/14\" has bits behind its prefix length; write \"198.16.0.0/14\"");
	assert_string_equal(parsed("2001:db8::1/127", false),
		"\"2001:db8::1/127\" has bits behind its prefix length; write \"2001:db8::/127\"");
	assert_string_equal(parsed("192.0.2.1/24", true), "192.0.2.0/24");
	assert_string_equal(parsed("255.255.255.255/0", true), "0.0.0.0/0");
	assert_string_equal(parsed("2001:db8:ffff::/33", true), "2001:db8:8000::/33");
}

/* The range's prefixes, blank between them, or what was wrong with it. */
static const char *range(const char *text)
{
	static char out[KD_RANGE_PREFIXES * KD_PREFIX_TEXT];
	static struct kd_prefix list[KD_RANGE_PREFIXES];
	char *exact = malloc(strlen(text)), one[KD_PREFIX_TEXT];
	struct kd_fault fault;
	size_t at = 0;
	int n;

	assert_non_null(exact);
	memcpy(exact, text, strlen(text));
	n = kd_prefix_range(list, exact, strlen(text), &fault);
	free(exact);
	if (n < 0)
		return strcpy(out, fault.hint);
	for (int i = 0; i < n; i++) {
		kd_prefix_text(one, &list[i]);
		at += (size_t)sprintf(out + at, i > 0 ? " %s" : "%s", one);
	}
	return out;
}

static int how_many(const char *text)
{
	static struct kd_prefix list[KD_RANGE_PREFIXES];
	struct kd_fault fault;

	return kd_prefix_range(list, text, strlen(text), &fault);
}

static void test_range(void **state)
{
	static const char expected[] = "expected e.g. 192.0.2.1-192.0.2.9";

	(void)state;
	assert_string_equal(
		range("192.0.2.1-192.0.2.9"), "192.0.2.1/32 192.0.2.2/31 192.0.2.4/30 192.0.2.8/31");
	assert_string_equal(range("192.0.2.0 - 192.0.2.255"), "192.0.2.0/24");
	assert_string_equal(range("192.0.2.7-192.0.2.7"), "192.0.2.7/32");
	assert_string_equal(range("192.0.2.255-192.0.3.0"), "192.0.2.255/32 192.0.3.0/32");
	assert_string_equal(range("0.0.0.0-255.255.255.255"), "0.0.0.0/0");
	assert_string_equal(range("255.255.255.254-255.255.255.255"), "255.255.255.254/31");
	assert_string_equal(range("2001:db8::-2001:db8::ffff"), "2001:db8::/112");
	assert_string_equal(range("::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), "::/0");
	/* Everything but the two ends: 1 + 2 + ... up and down again. */
	assert_int_equal(how_many("0.0.0.1-255.255.255.254"), 62);
	assert_int_equal(how_many("::1-ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe"), 254);
	assert_string_equal(range("192.0.2.9-192.0.2.1"), "the lower address comes first");
	assert_string_equal(range("192.0.2.1"), expected);
	assert_string_equal(range("192.0.2.1-"), expected);
	assert_string_equal(range("-192.0.2.1"), expected);
	assert_string_equal(range("192.0.2.1-::1"), expected);
	assert_string_equal(range("192.0.2.0/24-192.0.3.0"), expected);
	assert_string_equal(range("192.0.2.1-2-3"), expected);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_prefix),
		cmocka_unit_test(test_bits_behind_the_prefix),
		cmocka_unit_test(test_range),
	};

	return cmocka_run_group_tests_name("prefix", tests, NULL, NULL);
}

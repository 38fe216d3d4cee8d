/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Numbers with units: exact values worked out by hand, ranges, and what must be refused and how it is said.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rulebook/units.h"

/* Parses an exact-size copy, so that a read past the end is seen. */
static int parse(struct kd_number *ret, unsigned int kind, const char *text, struct kd_fault *fault)
{
	size_t len = strlen(text);
	char *copy = malloc(len > 0 ? len : 1);
	int rc;

	assert_non_null(copy);
	memcpy(copy, text, len);
	rc = kd_units_parse(ret, kind, copy, len, fault);
	free(copy);
	return rc;
}

static void is(unsigned int kind, const char *text, uint64_t value)
{
	struct kd_fault fault;
	struct kd_number n = {.value = ~value, .ranged = true};

	assert_int_equal(parse(&n, kind, text, &fault), 0);
	assert_int_equal(n.value, value);
	assert_int_equal(n.lo, value);
	assert_int_equal(n.hi, value);
	assert_false(n.ranged);
}

static void refused(unsigned int kind, const char *text, const char *message, const char *hint)
{
	struct kd_number n = {.value = 42, .lo = 41, .hi = 43};
	struct kd_fault fault;

	assert_int_equal(parse(&n, kind, text, &fault), -EINVAL);
	assert_string_equal(fault.message, message);
	assert_string_equal(fault.hint, hint);
	assert_int_equal(n.value, 42);
	assert_int_equal(n.lo, 41);
	assert_int_equal(n.hi, 43);
}

static void durations(void **state)
{
	(void)state;
	is(KD_UNIT_DURATION, "1 ns", 1);
	is(KD_UNIT_DURATION, "3 us", 3000);
	is(KD_UNIT_DURATION, "20 ms", 20000000);
	is(KD_UNIT_DURATION, "75 s", 75000000000);
	is(KD_UNIT_DURATION, "75s", 75000000000);
	is(KD_UNIT_DURATION, "10 min", 600000000000);
	is(KD_UNIT_DURATION, "2 h", 7200000000000);
	is(KD_UNIT_DURATION, "3650 d", 315360000000000000);
	is(KD_UNIT_DURATION, "0 s", 0);
}

/* As binary floats 0.1, 0.3 and 1.1 are not what is written; as integers they are. */
static void decimals_are_exact(void **state)
{
	(void)state;
	is(KD_UNIT_DURATION, "0.1 s", 100000000);
	is(KD_UNIT_DURATION, "0.3 s", 300000000);
	is(KD_UNIT_DURATION, "1.1 us", 1100);
	is(KD_UNIT_DURATION, "0.000000001 s", 1);
	is(KD_UNIT_DURATION, "007.50 min", 450000000000);
	is(KD_UNIT_RATE, "0.128 Mbit/s", 128000);
	is(KD_UNIT_BYTES, "1.5 kB", 1500);
	is(KD_UNIT_BYTES, "16 KB", 16000);
	refused(KD_UNIT_DURATION, "0.5 ns", "\"0.5 ns\" is finer than 1 ns", "");
	refused(KD_UNIT_RATE, "0.0001 kbit/s", "\"0.0001 kbit/s\" is finer than 1 bit/s", "");
}

/* floor(share * 2^64): 2^63; 2^64 / 8; 0.00084 * 18446744073709551616 = 15495265021916023.36... */
static void shares(void **state)
{
	(void)state;
	is(KD_UNIT_SHARE, "50 %", 0x8000000000000000);
	is(KD_UNIT_SHARE, "12.5%", 0x2000000000000000);
	is(KD_UNIT_SHARE, "0.084 %", 15495265021916023);
	is(KD_UNIT_SHARE, "0 %", 0);
	is(KD_UNIT_SHARE, "100 %", UINT64_MAX);
	is(KD_UNIT_SHARE, "100.000 %", UINT64_MAX);
	refused(KD_UNIT_SHARE, "100.1 %", "\"100.1 %\" is more than 100 %", "");
	refused(KD_UNIT_SHARE, "0.5", "\"0.5\" is not a share", "expected a number and %");
}

static void counts(void **state)
{
	(void)state;
	is(KD_UNIT_COUNT, "25 pkt", 25);
	is(KD_UNIT_COUNT, "25", 25);
	is(KD_UNIT_COUNT, "4294967295", 4294967295);
	refused(KD_UNIT_COUNT, "4294967296", "\"4294967296\" is more than 4294967295", "");
	refused(KD_UNIT_COUNT, "1.5", "\"1.5\" is finer than 1 pkt", "");
	refused(KD_UNIT_COUNT, "20 kB", "\"20 kB\" is not a count",
		"expected a whole number, with pkt or nothing behind it");
}

/* Bytes a second are eight bits a second; 0.3 kB/s is 2400 bit/s exactly. */
static void rates_in_bytes(void **state)
{
	(void)state;
	is(KD_UNIT_RATE, "650 B/s", 5200);
	is(KD_UNIT_RATE, "16 kB/s", 128000);
	is(KD_UNIT_RATE, "0.3 kB/s", 2400);
	is(KD_UNIT_RATE, "0.125 B/s", 1);
	refused(KD_UNIT_RATE, "0.1 B/s", "\"0.1 B/s\" is finer than 1 bit/s", "");
	refused(KD_UNIT_RATE, "125000001 kB/s", "\"125000001 kB/s\" is more than 1000 Gbit/s", "");
	refused(KD_UNIT_RATE, "650 b/s", "\"650 b/s\" is not a rate",
		"expected a number and one of bit/s, kbit/s, Mbit/s, Gbit/s, B/s, kB/s - did you mean \"650 "
		"B/s\"?");
}

static void range(const char *text, unsigned int kind, uint64_t value, uint64_t lo, uint64_t hi)
{
	struct kd_fault fault;
	struct kd_number n;

	assert_int_equal(parse(&n, kind, text, &fault), 0);
	assert_true(n.ranged);
	assert_int_equal(n.value, value);
	assert_int_equal(n.lo, lo);
	assert_int_equal(n.hi, hi);
}

static void ranges(void **state)
{
	(void)state;
	range("10 min (5 min..15 min)", KD_UNIT_DURATION, 600000000000, 300000000000, 900000000000);
	range("10 min (5..15)", KD_UNIT_DURATION, 600000000000, 300000000000, 900000000000);
	range("10 min (30 s..10 min)", KD_UNIT_DURATION, 600000000000, 30000000000, 600000000000);
	range("10 min(0.5..15)", KD_UNIT_DURATION, 600000000000, 30000000000, 900000000000);
	range("25 pkt (10..30)", KD_UNIT_COUNT, 25, 10, 30);
	range("25 ( 25 .. 25 )", KD_UNIT_COUNT, 25, 25, 25);
	range("50 % (25.0..100)", KD_UNIT_SHARE, 0x8000000000000000, 0x4000000000000000, UINT64_MAX);
	range("140 kbit/s (0.13 Mbit/s..150)", KD_UNIT_RATE, 140000, 130000, 150000);
	range("650 B/s (600..700)", KD_UNIT_RATE, 5200, 4800, 5600);
}

static void ranges_refused(void **state)
{
	const char *shape = "expected VALUE UNIT (LO..HI), as in \"10 min (5..15)\"";

	(void)state;
	refused(KD_UNIT_COUNT, "25 (30..40)", "\"25 (30..40)\" lies outside its own range", "");
	refused(KD_UNIT_COUNT, "25 (10..20)", "\"25 (10..20)\" lies outside its own range", "");
	refused(KD_UNIT_COUNT, "25 (30..20)", "\"25 (30..20)\" has its range upside down", "");
	refused(KD_UNIT_COUNT, "25 (10)", "\"25 (10)\" has no proper range", shape);
	refused(KD_UNIT_COUNT, "25 (10..30", "\"25 (10..30\" has no proper range", shape);
	refused(KD_UNIT_COUNT, "25 (10..30) pkt", "\"25 (10..30) pkt\" has something behind its end",
		"expected VALUE UNIT (LO..HI)");
	refused(KD_UNIT_COUNT, "25 (..30)", "\"25 (..30)\" is not a count",
		"expected a whole number, with pkt or nothing behind it");
}

static void words(void **state)
{
	const char *wanted = "expected a number and one of bit/s, kbit/s, Mbit/s, Gbit/s, B/s, kB/s";

	(void)state;
	refused(KD_UNIT_RATE, "128 kbits", "\"128 kbits\" is not a rate",
		"expected a number and one of bit/s, kbit/s, Mbit/s, Gbit/s, B/s, kB/s - did you mean \"128 "
		"kbit/s\"?");
	refused(KD_UNIT_RATE, "2.5 mbit/s", "\"2.5 mbit/s\" is not a rate",
		"expected a number and one of bit/s, kbit/s, Mbit/s, Gbit/s, B/s, kB/s - did you mean \"2.5 "
		"Mbit/s\"?");
	refused(KD_UNIT_RATE, "128", "\"128\" is not a rate", wanted);
	refused(KD_UNIT_RATE, "kbit/s", "\"kbit/s\" is not a rate", wanted);
	refused(KD_UNIT_RATE, "", "\"\" is not a rate", wanted);
	refused(KD_UNIT_RATE, "-1 bit/s", "\"-1 bit/s\" is not a rate", wanted);
	refused(KD_UNIT_RATE, "1e3 bit/s", "\"1e3 bit/s\" is not a rate", wanted);
}

static void too_big(void **state)
{
	(void)state;
	refused(KD_UNIT_DURATION, "3651 d", "\"3651 d\" is more than 3650 d", "");
	refused(KD_UNIT_DURATION, "3650.000001 d", "\"3650.000001 d\" is more than 3650 d", "");
	refused(KD_UNIT_DURATION, "999999999999999999 d", "\"999999999999999999 d\" is more than 3650 d", "");
	refused(KD_UNIT_DURATION, "1000000000000000000 ns", "\"1000000000000000000 ns\" has too many digits",
		"at most 18 digits can be kept exactly");
	refused(KD_UNIT_RATE, "1001 Gbit/s", "\"1001 Gbit/s\" is more than 1000 Gbit/s", "");
}

static void text(unsigned int kind, uint64_t value, const char *expected)
{
	char buf[KD_UNITS_TEXT];

	kd_units_text(buf, kind, value);
	assert_string_equal(buf, expected);
}

static void printed(void **state)
{
	(void)state;
	text(KD_UNIT_DURATION, 0, "0 ns");
	text(KD_UNIT_DURATION, 75000000000, "75 s");
	text(KD_UNIT_DURATION, 90000000000, "90 s");
	text(KD_UNIT_DURATION, 600000000000, "10 min");
	text(KD_UNIT_DURATION, 600000000001, "600000000001 ns");
	text(KD_UNIT_COUNT, 20, "20 pkt");
	text(KD_UNIT_BYTES, 16000, "16 kB");
	text(KD_UNIT_RATE, 128000, "128 kbit/s");
	text(KD_UNIT_RATE, 5200, "5200 bit/s");
	text(KD_UNIT_RATE, 8, "8 bit/s");
	text(KD_UNIT_SHARE, 0x8000000000000000, "50 %");
	text(KD_UNIT_SHARE, 15495265021916023, "0.084 %");
	text(KD_UNIT_SHARE, UINT64_MAX, "100 %");
	text(KD_UNIT_SHARE, 0, "0 %");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(durations),
		cmocka_unit_test(decimals_are_exact),
		cmocka_unit_test(shares),
		cmocka_unit_test(counts),
		cmocka_unit_test(rates_in_bytes),
		cmocka_unit_test(ranges),
		cmocka_unit_test(ranges_refused),
		cmocka_unit_test(words),
		cmocka_unit_test(too_big),
		cmocka_unit_test(printed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Dates and profile queries. Day numbers were worked out with another calendar (Python's datetime).
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rulebook/query.h"

static char *exact(const char *text)
{
	size_t len = strlen(text);
	char *copy = malloc(len > 0 ? len : 1);

	assert_non_null(copy);
	memcpy(copy, text, len);
	return copy;
}

static void dates(const char *text, int32_t first, int32_t last)
{
	struct kd_fault fault;
	struct kd_dates d;
	char *copy = exact(text);

	assert_int_equal(kd_dates_parse(&d, copy, strlen(text), &fault), 0);
	free(copy);
	assert_int_equal(d.first, first);
	assert_int_equal(d.last, last);
}

static void no_dates(const char *text, const char *message)
{
	struct kd_dates d = {7, 8};
	struct kd_fault fault;
	char *copy = exact(text);

	assert_int_equal(kd_dates_parse(&d, copy, strlen(text), &fault), -EINVAL);
	free(copy);
	assert_string_equal(fault.message, message);
	assert_int_equal(d.first, 7);
	assert_int_equal(d.last, 8);
}

static void days(void **state)
{
	(void)state;
	dates("1970-01-01", 0, 0);
	dates("2000-02-29", 11016, 11016);
	dates("2021-03-10", KD_FIRST_DAY, KD_FIRST_DAY);
	dates("2022-03-20", 19071, 19071);
	dates("2024-02-29", 19782, 19782);
	dates("2024-12-31", 20088, 20088);
	dates("2100-03-01", 47541, 47541);
	dates("9999-12-31", 2932896, 2932896);
}

static void months_and_ranges(void **state)
{
	(void)state;
	dates("2024-02", 19754, 19782);
	dates("2023-02", 19389, 19416);
	dates("2024-08", 19936, 19966);
	/* A plain query uses the last day: 31 January 2026. */
	dates("2024-01..2026-01", 19723, 20484);
	dates("2022-02-26..2022-03-14", 19049, 19065);
	dates("2022-03..2022-03-31", 19052, 19082);
	dates("2022-03-14..2022-03-14", 19065, 19065);
}

static void not_dates(void **state)
{
	(void)state;
	no_dates("2023-02-29", "\"2023-02-29\" is not in the calendar");
	no_dates("2100-02-29", "\"2100-02-29\" is not in the calendar");
	no_dates("2022-04-31", "\"2022-04-31\" is not in the calendar");
	no_dates("2022-13", "\"2022-13\" is not in the calendar");
	no_dates("2022-00", "\"2022-00\" is not in the calendar");
	no_dates("2022-01-00", "\"2022-01-00\" is not in the calendar");
	no_dates("1969-12-31", "\"1969-12-31\" is not in the calendar");
	no_dates("2022", "\"2022\" is not a date");
	no_dates("", "\"\" is not a date");
	no_dates("2022-3-04", "\"2022-3-04\" is not a date");
	no_dates("2022/03/04", "\"2022/03/04\" is not a date");
	no_dates("2022-03-04 ", "\"2022-03-04 \" is not a date");
	no_dates("2022-03-", "\"2022-03-\" is not a date");
	no_dates("2022-03..", "\"\" is not a date");
	no_dates("2022-03..2022-02", "date order: \"2022-03..2022-02\" ends before it starts");
	no_dates("2022-03-02..2022-03-01", "date order: \"2022-03-02..2022-03-01\" ends before it starts");
}

static void day_text(void **state)
{
	char buf[KD_DAY_TEXT];

	(void)state;
	kd_day_text(buf, 0);
	assert_string_equal(buf, "1970-01-01");
	kd_day_text(buf, 11016);
	assert_string_equal(buf, "2000-02-29");
	kd_day_text(buf, 20088);
	assert_string_equal(buf, "2024-12-31");
	kd_day_text(buf, 20089);
	assert_string_equal(buf, "2025-01-01");
}

static void asks(const char *text, int32_t day, unsigned int network)
{
	struct kd_fault fault;
	struct kd_query q;
	char *copy = exact(text);

	assert_int_equal(kd_query_parse(&q, copy, strlen(text), &fault), 0);
	free(copy);
	assert_int_equal(q.day, day);
	assert_int_equal(q.network, network);
}

static void asks_not(const char *text, const char *message, const char *hint)
{
	struct kd_query q = {.day = 5, .network = 99};
	struct kd_fault fault;
	char *copy = exact(text);

	assert_int_equal(kd_query_parse(&q, copy, strlen(text), &fault), -EINVAL);
	free(copy);
	assert_string_equal(fault.message, message);
	assert_string_equal(fault.hint, hint);
	assert_int_equal(q.day, 5);
	assert_int_equal(q.network, 99);
}

static void queries(void **state)
{
	(void)state;
	asks("tspu@2022-03-20", 19071, KD_NETWORK_HOME);
	asks("tspu@2022-03-20/home", 19071, KD_NETWORK_HOME);
	asks("tspu@2022-03-20/mobile", 19071, KD_NETWORK_MOBILE);
	asks("tspu@2022-03-20/hosting", 19071, KD_NETWORK_HOSTING);
	asks("tspu@2022-03-20/corporate", 19071, KD_NETWORK_CORPORATE);
	asks("tspu@2022-03-20/roaming", 19071, KD_NETWORK_ROAMING);
	asks("tspu@2021-03-10", KD_FIRST_DAY, KD_NETWORK_HOME);
}

static void no_queries(void **state)
{
	const char *networks = "known: home, mobile, hosting, corporate, roaming";

	(void)state;
	asks_not("tspu@2021-03-09", "2021-03-09 is before 2021-03-10, the first day known",
		"the rulebook starts on 2021-03-10");
	asks_not("tspu@2022-03", "\"2022-03\" is not a day", "expected YYYY-MM-DD");
	asks_not("tspu@", "\"\" is not a day", "expected YYYY-MM-DD");
	asks_not("tspu@2022-02-30", "\"2022-02-30\" is not in the calendar", "");
	asks_not("tspu@2022-03-20/", "unknown network \"\"", networks);
	asks_not("tspu@2022-03-20/moblie", "unknown network \"moblie\"",
		"known: home, mobile, hosting, corporate, roaming - did you mean \"mobile\"?");
	asks_not("tspu@2022-03-20/home/rostelecom", "unknown ISP \"rostelecom\"",
		"known ISPs and regions: none yet");
	asks_not("tspu@2022-03-20/home/", "unknown ISP \"\"", "known ISPs and regions: none yet");
	asks_not("tspu@2022-03-20+allowlist", "unknown state \"allowlist\"", "known states: none yet");
	asks_not("tspu@2022-03-20/home+", "unknown state \"\"", "known states: none yet");
	asks_not("gfw@2022-03-20", "unknown censor \"gfw\"", "known: tspu, as in tspu@2022-03-20");
	asks_not("tspu", "\"tspu\" is not a query", "expected tspu@YYYY-MM-DD[/NETWORK]");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(days),
		cmocka_unit_test(months_and_ranges),
		cmocka_unit_test(not_dates),
		cmocka_unit_test(day_text),
		cmocka_unit_test(queries),
		cmocka_unit_test(no_queries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

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

static const char *const isps[] = {"rostelecom", "mts"}, *const regions[] = {"moscow", "spb"},
			 *const states[] = {"allowlist"};
static const struct kd_query_words known = {
	.isps = isps, .regions = regions, .states = states, .nisps = 2, .nregions = 2, .nstates = 1};
static const struct kd_query_words nothing = {.nisps = 0};

/* What is not said is 0. */
static void asks(const char *text, struct kd_query want, const char *canonical)
{
	struct kd_query q, again;
	struct kd_fault fault;
	char *copy = exact(text), *name;

	assert_int_equal(kd_query_parse(&q, &known, copy, strlen(text), &fault), 0);
	free(copy);
	assert_int_equal(q.day, want.day);
	assert_int_equal(q.network, want.network);
	assert_int_equal(q.isp, want.isp);
	assert_int_equal(q.region, want.region);
	assert_int_equal(q.state, want.state);
	assert_int_equal(q.sample, want.sample);
	assert_int_equal(q.box, 0);
	assert_true(q.seed == 0);
	name = kd_query_text(&q, &known);
	assert_non_null(name);
	assert_string_equal(name, canonical);
	assert_int_equal(kd_query_parse(&again, &known, name, strlen(name), &fault), 0);
	assert_true(again.day == q.day && again.network == q.network && again.isp == q.isp &&
		    again.region == q.region && again.state == q.state && again.sample == q.sample);
	free(name);
}

static void refused(
	const struct kd_query_words *words, const char *text, const char *message, const char *hint)
{
	struct kd_query q = {.day = 5, .network = 99, .isp = 98, .sample = 97};
	struct kd_fault fault;
	char *copy = exact(text);

	assert_int_equal(kd_query_parse(&q, words, copy, strlen(text), &fault), -EINVAL);
	free(copy);
	assert_string_equal(fault.message, message);
	assert_string_equal(fault.hint, hint);
	assert_int_equal(q.day, 5);
	assert_int_equal(q.network, 99);
	assert_int_equal(q.isp, 98);
	assert_int_equal(q.sample, 97);
}

static void asks_not(const char *text, const char *message, const char *hint)
{
	refused(&known, text, message, hint);
}

#define ON .day = 19071 /* 2022-03-20 */

static void queries(void **state)
{
	(void)state;
	asks("tspu@2022-03-20", (struct kd_query){ON}, "tspu@2022-03-20/home");
	asks("tspu@2022-03-20/home", (struct kd_query){ON}, "tspu@2022-03-20/home");
	asks("tspu@2022-03-20/mobile", (struct kd_query){ON, .network = KD_NETWORK_MOBILE},
		"tspu@2022-03-20/mobile");
	asks("tspu@2022-03-20/hosting", (struct kd_query){ON, .network = KD_NETWORK_HOSTING},
		"tspu@2022-03-20/hosting");
	asks("tspu@2022-03-20/corporate", (struct kd_query){ON, .network = KD_NETWORK_CORPORATE},
		"tspu@2022-03-20/corporate");
	asks("tspu@2022-03-20/roaming", (struct kd_query){ON, .network = KD_NETWORK_ROAMING},
		"tspu@2022-03-20/roaming");
	asks("tspu@2021-03-10", (struct kd_query){.day = KD_FIRST_DAY}, "tspu@2021-03-10/home");
}

static void places(void **state)
{
	(void)state;
	asks("tspu@2022-03-20/home/rostelecom", (struct kd_query){ON, .isp = 1},
		"tspu@2022-03-20/home/rostelecom");
	asks("tspu@2022-03-20/mobile/mts/spb",
		(struct kd_query){ON, .network = KD_NETWORK_MOBILE, .isp = 2, .region = 2},
		"tspu@2022-03-20/mobile/mts/spb");
	asks("tspu@2022-03-20/home/-/moscow", (struct kd_query){ON, .region = 1},
		"tspu@2022-03-20/home/-/moscow");
	/* No ISP and no region: a dash says nothing. */
	asks("tspu@2022-03-20/home/-", (struct kd_query){ON}, "tspu@2022-03-20/home");
	asks("tspu@2022-03-20+allowlist", (struct kd_query){ON, .state = 1},
		"tspu@2022-03-20/home+allowlist");
	asks("tspu@2022-03-20/home/mts+allowlist", (struct kd_query){ON, .isp = 2, .state = 1},
		"tspu@2022-03-20/home/mts+allowlist");
}

static void samples(void **state)
{
	const char *hint = "expected ~1 to ~1000000 at the end, as in tspu@2022-03-20~7";

	(void)state;
	asks("tspu@2022-03-20~1", (struct kd_query){ON, .sample = 1}, "tspu@2022-03-20/home~1");
	asks("tspu@2022-03-20/mobile~1000000",
		(struct kd_query){ON, .network = KD_NETWORK_MOBILE, .sample = 1000000},
		"tspu@2022-03-20/mobile~1000000");
	asks("tspu@2022-03-20/home/-/moscow+allowlist~7",
		(struct kd_query){ON, .region = 1, .state = 1, .sample = 7},
		"tspu@2022-03-20/home/-/moscow+allowlist~7");
	asks_not("tspu@2022-03-20~0", "\"~0\" is not a sampled box", hint);
	asks_not("tspu@2022-03-20~", "\"~\" is not a sampled box", hint);
	asks_not("tspu@2022-03-20~01", "\"~01\" is not a sampled box", hint);
	asks_not("tspu@2022-03-20~1000001", "\"~1000001\" is not a sampled box", hint);
	asks_not("tspu@2022-03-20~4294967297", "\"~4294967297\" is not a sampled box", hint);
	asks_not("tspu@2022-03-20~18446744073709551617", "\"~18446744073709551617\" is not a sampled box",
		hint);
	asks_not("tspu@2022-03-20~-1", "\"~-1\" is not a sampled box", hint);
	asks_not("tspu@2022-03-20~7x", "\"~7x\" is not a sampled box", hint);
	asks_not("tspu@2022-03-20~7+allowlist", "\"~7+allowlist\" is not a sampled box", hint);
	asks_not("tspu@2022-03-20~7~8", "\"~7~8\" is not a sampled box", hint);
	asks_not("tspu@2022-03-20~7/home", "\"~7/home\" is not a sampled box", hint);
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
	asks_not("gfw@2022-03-20", "unknown censor \"gfw\"", "known: tspu, as in tspu@2022-03-20");
	asks_not("tspu", "\"tspu\" is not a query",
		"expected tspu@YYYY-MM-DD[/NETWORK[/ISP[/REGION]]][+STATE][~K]");
}

static void no_places(void **state)
{
	(void)state;
	asks_not("tspu@2022-03-20/home/rostelekom", "unknown ISP \"rostelekom\"",
		"known: rostelecom, mts - did you mean \"rostelecom\"?");
	asks_not("tspu@2022-03-20/home/", "unknown ISP \"\"", "known: rostelecom, mts");
	asks_not("tspu@2022-03-20/home/moscow", "unknown ISP \"moscow\"", "known: rostelecom, mts");
	asks_not("tspu@2022-03-20/home/mts/", "unknown region \"\"", "known: moscow, spb");
	asks_not("tspu@2022-03-20/home/mts/-", "unknown region \"-\"", "known: moscow, spb");
	asks_not("tspu@2022-03-20/home/mts/mosocw", "unknown region \"mosocw\"",
		"known: moscow, spb - did you mean \"moscow\"?");
	asks_not("tspu@2022-03-20/home/mts/spb/x/y", "\"x/y\" behind the region",
		"expected tspu@YYYY-MM-DD[/NETWORK[/ISP[/REGION]]][+STATE][~K]");
	asks_not("tspu@2022-03-20/home/mts/spb/", "\"\" behind the region",
		"expected tspu@YYYY-MM-DD[/NETWORK[/ISP[/REGION]]][+STATE][~K]");
	asks_not("tspu@2022-03-20+alowlist", "unknown state \"alowlist\"",
		"known: allowlist - did you mean \"allowlist\"?");
	asks_not("tspu@2022-03-20/home+", "unknown state \"\"", "known: allowlist");
	asks_not("tspu@2022-03-20+allowlist+allowlist", "unknown state \"allowlist+allowlist\"",
		"known: allowlist");
	asks_not("tspu@2022-03-20+allowlist/home", "unknown state \"allowlist/home\"", "known: allowlist");
	refused(&nothing, "tspu@2022-03-20/home/rostelecom", "unknown ISP \"rostelecom\"", "known: none yet");
	refused(&nothing, "tspu@2022-03-20/home/-/moscow", "unknown region \"moscow\"", "known: none yet");
	refused(&nothing, "tspu@2022-03-20+allowlist", "unknown state \"allowlist\"", "known: none yet");
}

/* As many as there may be, with names as long as anybody writes: the hint is cut at a word. */
static void many_places(void **state)
{
	const char *many[64];
	struct kd_query_words words = {.isps = many, .nisps = 64};
	struct kd_fault fault;
	struct kd_query q;
	char text[64][40];

	(void)state;
	for (int i = 0; i < 64; i++) {
		for (int c = 0; c < 38; c++)
			text[i][c] = (char)('a' + (i + c) % 26);
		text[i][38] = (char)('a' + i / 26);
		text[i][39] = '\0';
		many[i] = text[i];
	}
	assert_int_equal(kd_query_parse(&q, &words, "tspu@2022-03-20/home/x", 22, &fault), -EINVAL);
	assert_string_equal(fault.message, "unknown ISP \"x\"");
	assert_true(strncmp(fault.hint, "known: ", 7) == 0);
	assert_string_equal(fault.hint + strlen(fault.hint) - 5, ", ...");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(days),
		cmocka_unit_test(months_and_ranges),
		cmocka_unit_test(not_dates),
		cmocka_unit_test(day_text),
		cmocka_unit_test(queries),
		cmocka_unit_test(places),
		cmocka_unit_test(samples),
		cmocka_unit_test(no_queries),
		cmocka_unit_test(no_places),
		cmocka_unit_test(many_places),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

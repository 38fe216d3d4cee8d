/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads dates and profile queries. Which days have rules, and what to say of a day after the last claim, is
 * decided by whoever holds the rulebook.
 */
#include "rulebook/query.h"

#include "engine/cursor.h"
#include "rulebook/diag.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const networks[KD_NETWORK_COUNT] = {"home", "mobile", "hosting", "corporate", "roaming"};

const char *kd_network_name(unsigned int network)
{
	return network < KD_NETWORK_COUNT ? networks[network] : "?";
}

int kd_network_find(const char *name, size_t len)
{
	for (int i = 0; i < KD_NETWORK_COUNT; i++)
		if (strlen(networks[i]) == len && memcmp(networks[i], name, len) == 0)
			return i;
	return -ENOENT;
}

static bool leap(int year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int month_days(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	return days[month - 1] + (month == 2 && leap(year));
}

/* Days since 1970-01-01 in the Gregorian calendar. */
static int32_t day_number(int year, int month, int day)
{
	int before = year - 1;
	int32_t days = before * 365 + before / 4 - before / 100 + before / 400 - 719162;

	for (int m = 1; m < month; m++)
		days += month_days(year, m);
	return days + day - 1;
}

void kd_day_text(char buf[KD_DAY_TEXT], int32_t day)
{
	int year = 1970, month = 1;

	while (day >= 365 + leap(year))
		day -= 365 + leap(year++);
	while (day >= month_days(year, month))
		day -= month_days(year, month++);
	snprintf(buf, KD_DAY_TEXT, "%04d-%02d-%02d", year % 10000, month, (int)(day % 100) + 1);
}

/* Exactly n digits, or -1. */
static int number(struct kd_cur *c, unsigned int n)
{
	int v = 0;

	while (n-- > 0) {
		uint8_t d = kd_cur_u8(c);

		if (c->bad || d < '0' || d > '9')
			return -1;
		v = v * 10 + (d - '0');
	}
	return v;
}

static int shown(size_t len)
{
	return len < 60 ? (int)len : 60;
}

/* A day or a month. */
static int date(struct kd_dates *ret, struct kd_cur c, bool months, struct kd_fault *fault)
{
	const char *text = (const char *)c.p;
	size_t len = kd_cur_left(&c);
	int year = number(&c, 4), month, day;
	bool dash = kd_cur_u8(&c) == '-';

	month = number(&c, 2);
	if (c.bad || !dash || year < 0 || month < 0)
		goto shape;
	if (year < 1970 || month < 1 || month > 12)
		goto calendar;
	if (kd_cur_left(&c) == 0) {
		if (!months)
			goto shape;
		ret->first = day_number(year, month, 1);
		ret->last = day_number(year, month, month_days(year, month));
		return 0;
	}
	dash = kd_cur_u8(&c) == '-';
	day = number(&c, 2);
	if (c.bad || !dash || day < 0 || kd_cur_left(&c) > 0)
		goto shape;
	if (day < 1 || day > month_days(year, month))
		goto calendar;
	ret->first = ret->last = day_number(year, month, day);
	return 0;
shape:
	return kd_fault(fault,
		months ? "expected YYYY-MM-DD, YYYY-MM, or two of them as A..B" : "expected YYYY-MM-DD",
		"\"%.*s\" is not a %s", shown(len), text, months ? "date" : "day");
calendar:
	return kd_fault(fault, NULL, "\"%.*s\" is not in the calendar", shown(len), text);
}

/* Where `what` starts in the text; its length when it is not there. */
static size_t find(const char *text, size_t len, const char *what)
{
	size_t n = strlen(what);

	for (size_t i = 0; i + n <= len; i++)
		if (memcmp(text + i, what, n) == 0)
			return i;
	return len;
}

int kd_dates_parse(struct kd_dates *ret, const char *text, size_t len, struct kd_fault *fault)
{
	size_t dots = find(text, len, "..");
	struct kd_dates a, b;
	int rc;

	rc = date(&a, kd_cur((const uint8_t *)text, dots), true, fault);
	if (rc < 0)
		return rc;
	b = a;
	if (dots < len) {
		rc = date(&b, kd_cur((const uint8_t *)text + dots + 2, len - dots - 2), true, fault);
		if (rc < 0)
			return rc;
	}
	if (a.first > b.first || a.last > b.last)
		return kd_fault(fault, NULL, "date order: \"%.*s\" ends before it starts", shown(len), text);
	ret->first = a.first;
	ret->last = b.last;
	return 0;
}

static int network(uint8_t *ret, const char *text, size_t len, struct kd_fault *fault)
{
	char hint[sizeof(fault->hint)], typed[32] = "";
	int found = kd_network_find(text, len);
	char *near = NULL;

	if (found >= 0) {
		*ret = (uint8_t)found;
		return 0;
	}
	if (len > 0 && len < sizeof(typed)) {
		memcpy(typed, text, len);
		near = kd_did_you_mean(typed, KD_NETWORK_WORDS);
	}
	if (near != NULL)
		snprintf(hint, sizeof(hint),
			"known: home, mobile, hosting, corporate, roaming - did you mean \"%s\"?", near);
	else
		snprintf(hint, sizeof(hint), "known: home, mobile, hosting, corporate, roaming");
	free(near);
	return kd_fault(fault, hint, "unknown network \"%.*s\"", shown(len), text);
}

int kd_query_parse(struct kd_query *ret, const char *text, size_t len, struct kd_fault *fault)
{
	size_t at = find(text, len, "@"), end, plus, slash;
	struct kd_query q = {.network = KD_NETWORK_HOME};
	struct kd_dates day;
	int rc;

	if (at == len)
		return kd_fault(fault, "expected tspu@YYYY-MM-DD[/NETWORK]", "\"%.*s\" is not a query",
			shown(len), text);
	if (at != 4 || memcmp(text, "tspu", 4) != 0)
		return kd_fault(fault, "known: tspu, as in tspu@2022-03-20", "unknown censor \"%.*s\"",
			shown(at), text);
	text += at + 1;
	len -= at + 1;
	plus = find(text, len, "+");
	end = find(text, plus, "/");
	rc = date(&day, kd_cur((const uint8_t *)text, end), false, fault);
	if (rc < 0)
		return rc;
	if (day.first < KD_FIRST_DAY)
		return kd_fault(fault, "the rulebook starts on 2021-03-10",
			"%.*s is before 2021-03-10, the first day known", shown(end), text);
	q.day = day.first;
	if (end < plus) {
		const char *rest = text + end + 1;
		size_t rest_len = plus - end - 1;

		slash = find(rest, rest_len, "/");
		rc = network(&q.network, rest, slash, fault);
		if (rc < 0)
			return rc;
		if (slash < rest_len)
			return kd_fault(fault, "known ISPs and regions: none yet", "unknown ISP \"%.*s\"",
				shown(rest_len - slash - 1), rest + slash + 1);
	}
	if (plus < len)
		return kd_fault(fault, "known states: none yet", "unknown state \"%.*s\"",
			shown(len - plus - 1), text + plus + 1);
	*ret = q;
	return 0;
}

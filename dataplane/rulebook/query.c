/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads dates and profile queries. Which days have rules, and what to say of a day after the last claim, is
 * decided by whoever holds the rulebook, who also says which
 * ISPs, regions and states there are.
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

#define QUERY_SHAPE "YYYY-MM-DD[/NETWORK[/ISP[/REGION]]][+STATE][~K]"

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

/* "a, b, c" or as many of them as fit, and what was meant. */
static void hint_of(
	char *buf, size_t room, const char *text, size_t len, const char *const *ids, unsigned int n)
{
	size_t at = (size_t)snprintf(buf, room, n > 0 ? "known: " : "known: none yet"), all = 1;
	char *typed = malloc(len + 1), *words, *near = NULL;

	if (typed != NULL) {
		memcpy(typed, text, len);
		typed[len] = '\0';
	}
	for (unsigned int i = 0; i < n; i++) {
		if (at + strlen(ids[i]) + 120 > room) {
			at += (size_t)snprintf(buf + at, room - at, ", ...");
			break;
		}
		at += (size_t)snprintf(buf + at, room - at, "%s%s", i > 0 ? ", " : "", ids[i]);
	}
	for (unsigned int i = 0; i < n; i++)
		all += strlen(ids[i]) + 1;
	words = malloc(all);
	if (words != NULL && typed != NULL) {
		char *end = words;

		*end = '\0';
		for (unsigned int i = 0; i < n; i++)
			end = stpcpy(stpcpy(end, i > 0 ? "|" : ""), ids[i]);
		near = kd_did_you_mean(typed, words);
	}
	if (near != NULL)
		snprintf(buf + at, room - at, " - did you mean \"%.80s\"?", near);
	free(near);
	free(words);
	free(typed);
}

/* Index into ids, or -EINVAL. */
static int word(const char *noun, const char *const *ids, unsigned int n, const char *text, size_t len,
	struct kd_fault *fault)
{
	char hint[sizeof(fault->hint)];

	for (unsigned int i = 0; i < n; i++)
		if (strlen(ids[i]) == len && memcmp(ids[i], text, len) == 0)
			return (int)i;
	hint_of(hint, sizeof(hint), text, len, ids, n);
	return kd_fault(fault, hint, "unknown %s \"%.*s\"", noun, shown(len), text);
}

/* The text up to the next slash, which is taken too; false when the text is at its end. */
static bool part(const char **text, size_t *len, const char **ret, size_t *ret_len)
{
	size_t n;

	if (*text == NULL)
		return false;
	n = find(*text, *len, "/");
	*ret = *text;
	*ret_len = n;
	*text = n < *len ? *text + n + 1 : NULL;
	*len = n < *len ? *len - n - 1 : 0;
	return true;
}

/* DATE[/NETWORK[/ISP[/REGION]]] */
static int day_and_place(struct kd_query *q, const struct kd_query_words *words, const char *text, size_t len,
	struct kd_fault *fault)
{
	struct kd_dates day;
	const char *p;
	size_t n;
	int rc;

	part(&text, &len, &p, &n);
	rc = date(&day, kd_cur((const uint8_t *)p, n), false, fault);
	if (rc < 0)
		return rc;
	if (day.first < KD_FIRST_DAY)
		return kd_fault(fault, "the rulebook starts on 2021-03-10",
			"%.*s is before 2021-03-10, the first day known", shown(n), p);
	q->day = day.first;
	if (!part(&text, &len, &p, &n))
		return 0;
	rc = word("network", networks, KD_NETWORK_COUNT, p, n, fault);
	if (rc < 0)
		return rc;
	q->network = (uint8_t)rc;
	if (!part(&text, &len, &p, &n))
		return 0;
	if (n != 1 || *p != '-') {
		rc = word("ISP", words->isps, words->nisps, p, n, fault);
		if (rc < 0)
			return rc;
		q->isp = (uint8_t)(rc + 1);
	}
	if (!part(&text, &len, &p, &n))
		return 0;
	rc = word("region", words->regions, words->nregions, p, n, fault);
	if (rc < 0)
		return rc;
	q->region = (uint8_t)(rc + 1);
	if (text != NULL)
		return kd_fault(
			fault, "expected tspu@" QUERY_SHAPE, "\"%.*s\" behind the region", shown(len), text);
	return 0;
}

/* One way to write a number, so that a box has one name. */
static int sample(struct kd_query *q, const char *text, size_t len, struct kd_fault *fault)
{
	uint32_t k = 0;
	size_t i = 0;

	while (i < len && text[i] >= '0' && text[i] <= '9' && k <= KD_SAMPLES_MAX)
		k = k * 10 + (uint32_t)(text[i++] - '0');
	if (i < len || len == 0 || text[0] == '0' || k > KD_SAMPLES_MAX)
		return kd_fault(fault, "expected ~1 to ~1000000 at the end, as in tspu@2022-03-20~7",
			"\"~%.*s\" is not a sampled box", shown(len), text);
	q->sample = k;
	return 0;
}

int kd_query_parse(struct kd_query *ret, const struct kd_query_words *words, const char *text, size_t len,
	struct kd_fault *fault)
{
	size_t at = find(text, len, "@"), tilde, plus;
	struct kd_query q = {.network = KD_NETWORK_HOME};
	int rc;

	if (at == len)
		return kd_fault(
			fault, "expected tspu@" QUERY_SHAPE, "\"%.*s\" is not a query", shown(len), text);
	if (at != 4 || memcmp(text, "tspu", 4) != 0)
		return kd_fault(fault, "known: tspu, as in tspu@2022-03-20", "unknown censor \"%.*s\"",
			shown(at), text);
	text += at + 1;
	len -= at + 1;
	tilde = find(text, len, "~");
	plus = find(text, tilde, "+");
	rc = day_and_place(&q, words, text, plus, fault);
	if (rc == 0 && plus < tilde) {
		rc = word("state", words->states, words->nstates, text + plus + 1, tilde - plus - 1, fault);
		if (rc >= 0)
			q.state = (uint8_t)(rc + 1);
	}
	if (rc >= 0 && tilde < len)
		rc = sample(&q, text + tilde + 1, len - tilde - 1, fault);
	if (rc < 0)
		return rc;
	*ret = q;
	return 0;
}

char *kd_query_text(const struct kd_query *query, const struct kd_query_words *words)
{
	const char *isp = query->isp > 0 ? words->isps[query->isp - 1] : query->region > 0 ? "-" : "";
	const char *region = query->region > 0 ? words->regions[query->region - 1] : "";
	const char *state = query->state > 0 ? words->states[query->state - 1] : "";
	char day[KD_DAY_TEXT], number[16] = "", *text = NULL;

	kd_day_text(day, query->day);
	if (query->sample > 0)
		snprintf(number, sizeof(number), "~%u", (unsigned int)query->sample);
	if (asprintf(&text, "tspu@%s/%s%s%s%s%s%s%s%s", day, kd_network_name(query->network),
		    isp[0] != '\0' ? "/" : "", isp, region[0] != '\0' ? "/" : "", region,
		    state[0] != '\0' ? "+" : "", state, number) < 0)
		return NULL;
	return text;
}

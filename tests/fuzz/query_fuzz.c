/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Dates and profile queries; the same text is tried as both. What is accepted is a day of the calendar that
 * prints as what it was; what is refused says why and touches nothing.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rulebook/query.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

/* Days since 1970 by another way: whole 400-year rounds, and years that start in March. */
static int32_t reference(int year, int month, int day)
{
	int y = month <= 2 ? year - 1 : year, m = month <= 2 ? month + 9 : month - 3;
	int round = y / 400, of_round = y % 400;

	return round * 146097 + of_round * 365 + of_round / 4 - of_round / 100 + (153 * m + 2) / 5 + day - 1 -
	       719468;
}

static void is_day(int32_t number)
{
	char text[KD_DAY_TEXT];
	int year, month, day;

	kd_day_text(text, number);
	must(sscanf(text, "%d-%d-%d", &year, &month, &day) == 3);
	must(reference(year, month, day) == number);
}

static void said(const struct kd_fault *fault)
{
	must(fault->message[0] != '\0');
	must(memchr(fault->message, '\0', sizeof(fault->message)) != NULL);
	must(memchr(fault->hint, '\0', sizeof(fault->hint)) != NULL);
}

static void try_dates(const char *text, size_t len)
{
	struct kd_dates d = {.first = -3, .last = -4};
	struct kd_fault fault = {.message = "", .hint = ""};

	if (kd_dates_parse(&d, text, len, &fault) < 0) {
		must(d.first == -3 && d.last == -4);
		said(&fault);
		return;
	}
	must(0 <= d.first && d.first <= d.last);
	is_day(d.first);
	is_day(d.last);
}

static const char *const isps[] = {"rostelecom", "mts", "t2"}, *const regions[] = {"moscow", "spb"},
			 *const states[] = {"allowlist"};

static void try_query(const char *text, size_t len)
{
	const struct kd_query_words words = {
		.isps = isps, .regions = regions, .states = states, .nisps = 3, .nregions = 2, .nstates = 1};
	struct kd_query q = {.day = -3, .network = 77}, again;
	struct kd_fault fault = {.message = "", .hint = ""};
	char *canonical;

	if (kd_query_parse(&q, &words, text, len, &fault) < 0) {
		must(q.day == -3 && q.network == 77);
		said(&fault);
		return;
	}
	must(q.day >= KD_FIRST_DAY && q.network < KD_NETWORK_COUNT);
	must(q.isp <= words.nisps && q.region <= words.nregions && q.state <= words.nstates);
	must(q.sample <= KD_SAMPLES_MAX && q.box == 0 && q.seed == 0);
	is_day(q.day);
	canonical = kd_query_text(&q, &words);
	must(canonical != NULL);
	must(kd_query_parse(&again, &words, canonical, strlen(canonical), &fault) == 0);
	must(again.day == q.day && again.network == q.network && again.isp == q.isp &&
		again.region == q.region && again.state == q.state && again.sample == q.sample);
	/* A query is its canonical form, or has no network where that says home, or a dash for nothing. */
	must(len <= strlen(canonical) + 2 && memcmp(text, canonical, 15) == 0);
	free(canonical);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = malloc(size > 0 ? size : 1);

	must(copy != NULL);
	if (size > 0)
		memcpy(copy, data, size);
	try_dates(copy, size);
	try_query(copy, size);
	free(copy);
	return 0;
}

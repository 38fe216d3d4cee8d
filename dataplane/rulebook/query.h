/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Dates, and the question a profile name asks of the rulebook:
 * tspu@DATE[/NETWORK[/ISP[/REGION]]][+STATE][~K]. DATE is a day and means noon in Moscow, so a rule's dates
 * are compared as days. A rule's date may be a day (2022-03-04), a month (2024-08) or a range A..B of these;
 * a plain query takes its last day.
 */
#ifndef KD_QUERY_H
#define KD_QUERY_H

#include <stddef.h>
#include <stdint.h>

#include "rulebook/fault.h"

enum kd_network {
	KD_NETWORK_HOME,
	KD_NETWORK_MOBILE,
	KD_NETWORK_HOSTING,
	KD_NETWORK_CORPORATE,
	KD_NETWORK_ROAMING,
	KD_NETWORK_COUNT
};

/* Days since 1970-01-01. */
struct kd_dates {
	int32_t first, last;
};

/* Drawing box `number` of a seed; number 0 draws nothing. */
struct kd_query {
	int32_t day;
	uint8_t network;	    /* enum kd_network */
	uint8_t isp, region, state; /* index + 1 into the book's; 0 = not said */
	uint8_t box;		    /* on the path, from 0 */
	uint32_t sample;	    /* box ~K of the seed; 0 = defaults */
	uint64_t seed;
	const char *path; /* --set path=ID: this one, wherever and whenever; NULL = the first in force */
};

/* Ids that a query may name. */
struct kd_query_words {
	const char *const *isps, *const *regions, *const *states;
	unsigned int nisps, nregions, nstates;
};

#define KD_FIRST_DAY                                                                                         \
	18696 /* 2021-03-10: the Twitter throttling, the first day with a measured box (X-THR-2021) */

/* 0, or -EINVAL with *fault filled and *ret untouched. ISP may be "-". seed and box stay 0. */
int kd_dates_parse(struct kd_dates *ret, const char *text, size_t len, struct kd_fault *fault);
int kd_query_parse(struct kd_query *ret, const struct kd_query_words *words, const char *text, size_t len,
	struct kd_fault *fault);

/* The query as its canonical name, a heap string: "tspu@2026-04-15/home/-/moscow+allowlist~7". NULL: no
 * memory. */
char *kd_query_text(const struct kd_query *query, const struct kd_query_words *words);

#define KD_SAMPLES_MAX 1000000

#define KD_DAY_TEXT 40

void kd_day_text(char buf[KD_DAY_TEXT], int32_t day);

const char *kd_network_name(unsigned int network);
#define KD_NETWORK_WORDS "home|mobile|hosting|corporate|roaming"
/* -ENOENT: no such network. */
int kd_network_find(const char *name, size_t len);

#endif

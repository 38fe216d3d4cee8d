/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Draws by hash. A range is hit by the upper half of a 64x64 multiply: no number of a range of n is likelier
 * than another by more than n / 2^64. Which entries share a name, and what is drawn at all, is the caller's.
 */
#include "rulebook/sample.h"

#include "engine/rng.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Away from the other uses of the seed: kd_draw of rng.h starts elsewhere. */
#define SAMPLE_SEED 0x8ebc6af09c88c6e3ull

struct kd_sample kd_sample_of(const struct kd_query *query)
{
	struct kd_sample s = {0};

	if (query != NULL) {
		s.seed = query->seed;
		s.number = query->sample;
	}
	return s;
}

static uint64_t hash_text(const char *text)
{
	return kd_hash_bytes((const uint8_t *)text, strlen(text));
}

uint64_t kd_sample_draw(const struct kd_sample *s, const char *name, const char *aspect)
{
	uint64_t box = kd_mix(kd_mix(s->seed, SAMPLE_SEED), s->number);

	return kd_mix(kd_mix(box, hash_text(name)), hash_text(aspect));
}

/* u in 0 .. 2^64 - 1 to lo .. hi. */
static uint64_t within(uint64_t u, uint64_t lo, uint64_t hi)
{
	unsigned __int128 many = (unsigned __int128)(hi - lo) + 1;

	return lo + (uint64_t)(u * many >> 64);
}

uint64_t kd_sample_number(
	const struct kd_sample *s, const char *name, const char *aspect, const struct kd_number *n)
{
	uint64_t step = 1;

	if (s->number == 0 || !n->ranged)
		return n->value;
	/* A thousand steps and more are as good as any, and people can read them: 417.3 s, not 417312845113
	 * ns. */
	while (step <= (n->hi - n->lo) / 10000)
		step *= 10;
	return n->lo + step * within(kd_sample_draw(s, name, aspect), 0, (n->hi - n->lo) / step);
}

int32_t kd_sample_day(const struct kd_sample *s, const char *name, const struct kd_dates *dates)
{
	char aspect[48];
	uint64_t days;

	if (s->number == 0 || dates->first >= dates->last)
		return dates->last;
	snprintf(aspect, sizeof(aspect), "day %" PRId32 "..%" PRId32, dates->first, dates->last);
	if (strchr(name, ':') != NULL)
		name = "day";
	days = (uint64_t)((int64_t)dates->last - dates->first);
	return (int32_t)(dates->first + (int64_t)within(kd_sample_draw(s, name, aspect), 0, days));
}

unsigned int kd_sample_variant(
	const struct kd_sample *s, const char *name, const uint32_t *weights, unsigned int n)
{
	unsigned int heaviest = 0;
	uint64_t total = 0, at;

	for (unsigned int i = 0; i < n; i++) {
		total += weights[i];
		if (weights[i] > weights[heaviest])
			heaviest = i;
	}
	if (s->number == 0 || total == 0)
		return heaviest;
	at = within(kd_sample_draw(s, name, "variant"), 0, total - 1);
	for (unsigned int i = 0; i < n; i++) {
		if (at < weights[i])
			return i;
		at -= weights[i];
	}
	return heaviest;
}

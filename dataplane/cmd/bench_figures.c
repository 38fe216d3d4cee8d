/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the measurements of `kordon bench` have in common when it comes to telling: medians and extremes, the
 * document for programs, and what makes a figure worthless. It measures nothing.
 */
#include "cmd/bench.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cmd/cmd.h"

int kd_bench_internal(const char *what)
{
	kd_complain("bench: %s; the figures would be worth nothing", what);
	return KD_EXIT_INTERNAL;
}

uint64_t kd_bench_monotonic_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

struct kd_bench_spread kd_bench_spread(const double *v, unsigned int n)
{
	double sorted[KD_BENCH_PAIRS_MAX];

	memcpy(sorted, v, n * sizeof(*v));
	qsort(sorted, n, sizeof(*sorted), by_size);
	return (struct kd_bench_spread){(sorted[(n - 1) / 2] + sorted[n / 2]) / 2, sorted[0], sorted[n - 1]};
}

void kd_bench_json_spread(struct kd_json *j, const char *key, const struct kd_bench_spread *s)
{
	kd_json_open(j, key, '{');
	kd_json_u64(j, "median", (uint64_t)(s->median * 1000 + 0.5));
	kd_json_u64(j, "min", (uint64_t)(s->min * 1000 + 0.5));
	kd_json_u64(j, "max", (uint64_t)(s->max * 1000 + 0.5));
	kd_json_close(j, '}');
}

int kd_bench_json(const struct kd_json *j, const char *path)
{
	bool out = strcmp(path, "-") == 0;
	FILE *f = out ? stdout : fopen(path, "w");

	if (f == NULL || j->full || fprintf(f, "%.*s\n", (int)j->len, j->buf) < 0 || fflush(f) != 0 ||
		(!out && fclose(f) != 0)) {
		kd_complain("%s: %s", path, strerror(errno));
		return KD_EXIT_ENVIRONMENT;
	}
	return KD_EXIT_OK;
}

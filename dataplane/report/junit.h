/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Results as a JUnit file, the format CI systems show. One testcase per expectation; an inconclusive one is
 * skipped, a run that failed on the way is an error. No clock and no host in it: equal runs give equal bytes.
 */
#ifndef KD_JUNIT_H
#define KD_JUNIT_H

#include <stdio.h>

enum kd_junit_status { KD_JUNIT_PASSED, KD_JUNIT_FAILED, KD_JUNIT_ERROR, KD_JUNIT_SKIPPED, KD_JUNIT_COUNT };

struct kd_junit_case {
	const char *classname;
	const char *name;
	enum kd_junit_status status;
	const char *message; /* not used when passed */
};

/* 0 or the -errno of a write. The stream stays open. */
int kd_junit_write(FILE *to, const char *suite, const struct kd_junit_case *cases, unsigned int n);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A list of problems in a rulebook. The loader appends and goes on; a command prints them all at once:
 *
 *   policies/rulebook/x.cfg:41: rules.[2].then.rate: "128 kbits" is not a rate
 *       expected a number and one of bit/s, kbit/s, Mbit/s, Gbit/s - did you mean "128 kbit/s"?
 *   1 error, 0 warnings
 */
#ifndef KD_DIAG_H
#define KD_DIAG_H

#include <stdbool.h>
#include <stdio.h>

enum kd_diag_level { KD_DIAG_ERROR, KD_DIAG_WARNING };

struct kd_diag {
	enum kd_diag_level level;
	char *file; /* NULL = no place: a profile, an option */
	int line;
	char *path;    /* "rules.[2].when.protocl", may be NULL */
	char *message; /* what was wrong */
	char *hint;    /* what is allowed, did you mean; may be NULL */
};

struct kd_diags {
	struct kd_diag *list;
	unsigned int count, room;
	unsigned int errors, warnings;
};

/* hint may be NULL or a finished string; message is a format. Out of memory counts as an error and loses the
 * text. */
void kd_diag(struct kd_diags *d, enum kd_diag_level level, const char *file, int line, const char *path,
	const char *hint, const char *format, ...) __attribute__((format(printf, 7, 8)));
/* In order of file, line; then the count line when anything was said. */
void kd_diags_print(const struct kd_diags *d, FILE *to);
void kd_diags_free(struct kd_diags *d);

/* The word of `words` ('|'-separated) nearest to `word`, or NULL when none is near; the result is a heap
 * string. */
char *kd_did_you_mean(const char *word, const char *words);

#endif

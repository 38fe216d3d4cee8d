/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the two halves of a group's line share: the text while it is written, and one term of it.
 */
#ifndef KD_WHEN_LINE_H
#define KD_WHEN_LINE_H

#include <stdio.h>

#include "rulebook/when.h"

struct kd_line {
	FILE *f;
	char *text;
	size_t len;
	bool failed; /* no memory for something that belongs into it */
};

/* The stream keeps pointers into *line. False: no memory, nothing to close. */
bool kd_line_open(struct kd_line *line);
/* The text, the caller's to free; NULL: no memory. */
char *kd_line_close(struct kd_line *line);

/* `key=value`, `key=[values]`. */
void kd_line_term(struct kd_line *line, const struct kd_when *w);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* The lines of a list, without the file they come from. */
#ifndef KD_LIST_LINES_H
#define KD_LIST_LINES_H

#include "rulebook/list.h"

#define KD_LIST_SHOWN 3

/* A line that cannot be used. */
struct kd_list_bad {
	unsigned int line;
	char text[41]; /* its start */
	char why[61];  /* "" = too long to say here */
};

struct kd_list_lines {
	unsigned int lines; /* that hold something */
	unsigned int garbage;
	unsigned int converted;		       /* names not written in ASCII */
	struct kd_list_bad bad[KD_LIST_SHOWN]; /* the first of them */
};

/*
 * Fills the array of list->kind, count and garbage. Names and pairs point into text[0..len), which is
 * changed; text[len] is there and is written, too. Arrays and patterns are in the arena. -ENOMEM.
 */
int kd_list_lines(
	struct kd_list *list, struct kd_arena *arena, char *text, size_t len, struct kd_list_lines *ret);

#endif

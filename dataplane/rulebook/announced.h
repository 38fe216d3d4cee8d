/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What rulebooks may already speak of and the program does not do yet, by kind, with the shape of its values:
 * so that a rule written today is checked today. A row goes when its thing comes.
 */
#ifndef KD_ANNOUNCED_H
#define KD_ANNOUNCED_H

#include <stddef.h>
#include <stdint.h>

struct kd_announced {
	const char *name;
	uint8_t kind;	   /* enum kd_unit_kind, or KD_UNIT_KINDS: one of words */
	const char *words; /* '|'-list; NULL with KD_UNIT_KINDS: any text */
	const char *help;
};

/* Rows end with a NULL name. */
extern const struct kd_announced kd_announced_protocols[];
extern const struct kd_announced kd_announced_terms[]; /* keys of `when`: words */
extern const struct kd_announced kd_announced_knobs[];
extern const struct kd_announced kd_announced_settings[];

/* The row of that name, NULL = not announced. */
const struct kd_announced *kd_announced_find(const struct kd_announced *rows, const char *name);
/* "a|b|c" into buf. */
void kd_announced_words(char *buf, size_t room, const struct kd_announced *rows);

#endif

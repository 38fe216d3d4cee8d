/* SPDX-License-Identifier: BSD-3-Clause */
/* Entries of sources.bib: between bib.c, which reads them, and cite.c, which shows them. */
#ifndef KD_BIB_ENTRY_H
#define KD_BIB_ENTRY_H

#include <stddef.h>

struct kd_bib_field {
	const char *name, *value; /* braces kept, blanks folded */
};

struct kd_bib_entry {
	const char *type, *key;
	struct kd_bib_field *fields;
	unsigned int nfields;
	int line;
};

struct kd_bib {
	struct kd_bib_entry *entries;
	unsigned int count;
};

/* NULL = there is none; bib may be NULL. */
const struct kd_bib_entry *kd_bib_find(const struct kd_bib *bib, const char *key, size_t len);
const char *kd_bib_field(const struct kd_bib_entry *e, const char *name);

#endif

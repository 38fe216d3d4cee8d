/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Files of a rulebook: which they are, and their libconfig trees. A file that cannot be parsed is reported
 * and left out; the others go on.
 */
#ifndef KD_SOURCE_H
#define KD_SOURCE_H

#include <libconfig.h>

#include "rulebook/book.h"

struct kd_source {
	config_t config;
	const char *path; /* as given, or built from the folder as given */
	struct kd_source *next;
};

/* Appends one file, or all *.cfg of a folder in order of name, to the list that ends at **tail; moves *tail.
 */
void kd_source_file(struct kd_book *book, const char *path, struct kd_source ***tail);
void kd_source_folder(struct kd_book *book, const char *path, bool must, struct kd_source ***tail);
void kd_sources_free(struct kd_source *list);

#endif

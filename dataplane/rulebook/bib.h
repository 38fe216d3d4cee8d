/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * DIR/sources.bib: what a claim's `source` may name by key. Only as much of BibTeX as a bibliography kept by
 * hand needs: entries with values in braces, quotes or digits, in UTF-8; no strings, no TeX commands.
 */
#ifndef KD_BIB_H
#define KD_BIB_H

#include <stdio.h>

#include "rulebook/schema.h"

/* Fills book->bib; without the file there is none. Mistakes are said with file and line. */
void kd_bib_read(struct kd_book *book);
/* The same from bytes in hand, added to what book->bib holds; `file` is for messages. */
void kd_bib_parse(struct kd_book *book, const char *file, const char *text, size_t len);

/* Whether `source` is of a form that can be cited: KEY[, where], owner/repo#N, host/path. 0, or -EINVAL with
 * *fault filled. */
int kd_bib_source(const struct kd_book *book, const char *source, struct kd_fault *fault);
/* The same; says what is wrong at `at`. */
void kd_bib_check(struct kd_book *book, const config_setting_t *at, const char *source);
/* A source in words: authors, title, venue, year and where, for a key; the text itself otherwise. In the
 * arena; NULL: no memory. */
const char *kd_bib_text(const struct kd_book *book, struct kd_arena *arena, const char *source);
/* The key that a source begins with, in len bytes; 0 when it is none of the file. */
size_t kd_bib_key(const struct kd_book *book, const char *source);
/* The entry of a source as BibTeX; false when it is none of the file. */
bool kd_bib_print(const struct kd_book *book, const char *source, FILE *to);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lists beside the rulebook: DIR/lists/NAME.txt or NAME.txt.gz, of names, prefixes, or pairs of both; each is
 * read once and belongs to the book. A line that cannot be used is counted and the rest is used: lists come
 * from elsewhere and are never clean.
 */
#ifndef KD_LIST_H
#define KD_LIST_H

#include "rulebook/schema.h"

enum kd_list_kind { KD_LIST_NAMES, KD_LIST_PREFIXES, KD_LIST_PAIRS };

/* bits of addr that count; v4 in the first four bytes. */
struct kd_prefix {
	uint8_t addr[16];
	uint8_t bits;
	bool v6;
};

struct kd_pair {
	struct kd_name name;
	struct kd_prefix prefix;
};

struct kd_list {
	const char *name; /* as rules write it, or a path */
	uint8_t kind;	  /* enum kd_list_kind */
	struct kd_at at;  /* who asked first */
	char digest[65];  /* SHA-256 of the bytes as read (unpacked), lower-case hex */
	struct kd_name *names;
	struct kd_prefix *prefixes;
	struct kd_pair *pairs;
	unsigned int count; /* of the kind's array, in file order, doubles kept */
	unsigned int garbage;
	char *text; /* as read, until its lines are: then NULL */
	size_t len;
	const char *path;
};

/* Lists of this many bytes keep their text until kd_lists_open wants its lines, in a book with a cache: what
 * was compiled from them may be there. */
#define KD_LIST_LAZY_BYTES 200000

/* Reads the lines of every list that still waits, and says what is wrong with them. -ENOMEM. */
int kd_lists_open(const struct kd_book *book);

/* The list @name (without @) of that kind; NULL when there is none, which was said at `at`. The same file may
 * be read as two kinds. */
const struct kd_list *kd_list_get(
	struct kd_book *book, const config_setting_t *at, const char *name, enum kd_list_kind kind);
/* A prefix list by path relative to DIR (`real` of a tag). */
const struct kd_list *kd_list_prefixes_at(struct kd_book *book, const config_setting_t *at, const char *path);

/* "192.0.2.0/24", "192.0.2.1", "2001:db8::/32"; bits beyond the length must be 0 unless `lenient`. 0, or
 * -EINVAL with *fault filled. */
int kd_prefix_parse(
	struct kd_prefix *ret, const char *text, size_t len, bool lenient, struct kd_fault *fault);
/* "A-B" as prefixes: fills at most 254, returns how many, or -EINVAL with *fault filled. */
#define KD_RANGE_PREFIXES 254
int kd_prefix_range(
	struct kd_prefix ret[KD_RANGE_PREFIXES], const char *text, size_t len, struct kd_fault *fault);

/* "192.0.2.0/24", always with its length. */
#define KD_PREFIX_TEXT 52

void kd_prefix_text(char buf[KD_PREFIX_TEXT], const struct kd_prefix *prefix);
/* IPv4 first, then by address, then the shorter first: below, at or above 0. */
int kd_prefix_order(const struct kd_prefix *a, const struct kd_prefix *b);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The keys of a `when` group and what reads each: a table made of the fixed keys, the fields of the protocols
 * that exist, and the announced terms. Groups and their logic are when_read.c's.
 */
#ifndef KD_WHEN_TERMS_H
#define KD_WHEN_TERMS_H

#include "rulebook/when.h"
#include "rulebook/when_values.h"

/* One `when` while it is read. */
struct kd_when_reader {
	struct kd_book *book;
	struct kd_book_rule *rule;
	struct kd_when_facts *facts;
	const config_setting_t *count; /* the rule's, NULL = none so far */
	unsigned int depth;	       /* of groups */
	bool negated;		       /* inside of an odd number of `not` */
	/* of the group in hand */
	bool protocol_given;
	uint64_t protocols; /* those it gives that exist */
};

struct kd_when_row;

/* Fills *w, whose head is filled; false: nothing to ask, or it was wrong and said. */
typedef bool kd_when_term_read(struct kd_when_reader *r, const struct kd_when_row *row,
	const config_setting_t *s, struct kd_when *w);

struct kd_when_row {
	const char *name; /* NULL ends the table */
	uint8_t type;	  /* enum kd_type */
	uint8_t term;	  /* enum kd_term_kind */
	uint8_t of;	  /* as in struct kd_when */
	uint8_t protocol, field;
	const char *words;     /* sides, fakes: those known; fields: what may stand for a number */
	kd_value_parse *value; /* of terms that are spans */
	uint64_t naming;       /* names and fields: the protocols that have it */
	kd_when_term_read *read;
};

kd_when_term_read kd_when_protocol, kd_when_transport, kd_when_signature, kd_when_side, kd_when_name,
	kd_when_address, kd_when_spans, kd_when_bytes, kd_when_field, kd_when_classified, kd_when_already,
	kd_when_pairs, kd_when_fake, kd_when_count, kd_when_announced;

/* `protocol` stands first: others look at what it gave. */
void kd_when_rows(struct kd_book *book, struct kd_when_row rows[KD_KEYS_MAX]);

#endif

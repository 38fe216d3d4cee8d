/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The rulebook in words for people: what `list` and `diff` print. All texts are in the arena, NULL is no
 * memory.
 */
#ifndef KD_CMD_WORDS_H
#define KD_CMD_WORDS_H

#include "rulebook/book.h"

struct kd_when;
struct kd_name_term;
struct kd_address_term;

#define KD_NAMES_SHOWN 3

/* "TLS opened from inside whose SNI is a.example, b.example, c.example or 2 more"; at most `names` names of a
 * term. */
const char *kd_words_when(struct kd_arena *arena, const struct kd_when *when, unsigned int names);
/* What a rule matches; `default = "deny"` rules too. */
const char *kd_words_match(struct kd_arena *arena, const struct kd_book_rule *r, unsigned int names);
/* "reset form=rewrite direction=to-inside (the connection is ended by a forged RST)" */
const char *kd_words_then(struct kd_arena *arena, const struct kd_book_rule *r);
/* "75 s on the 4-tuple"; "" when there is none. */
const char *kd_words_residual(struct kd_arena *arena, const struct kd_book_rule *r);
/* What stands in force at query: the first that is; "" when there is none. */
const char *kd_words_miss(struct kd_arena *arena, const struct kd_book *book, const struct kd_book_rule *r,
	const struct kd_query *query);
/* "names-blocked, fallback" */
const char *kd_words_closes(struct kd_arena *arena, uint8_t phases);
/* "home, mobile; ISP rostelecom; region moscow; state allowlist; box tspu-a"; "" when it is not limited. */
const char *kd_words_where(struct kd_arena *arena, const struct kd_book *book, const struct kd_scope *scope);
const char *kd_words_to(struct kd_arena *arena, const struct kd_address_term *to);
/* "tls, quic"; "" for 0. */
const char *kd_words_protocols(struct kd_arena *arena, uint64_t protocols);

/* One sentence each. */
const char *kd_words_rule(struct kd_arena *arena, const struct kd_book *book, const struct kd_book_rule *r,
	const struct kd_query *query);
const char *kd_words_knob(struct kd_arena *arena, const struct kd_book_knob *k, unsigned int variant);
const char *kd_words_setting(struct kd_arena *arena, const struct kd_book_setting *s, unsigned int variant);
const char *kd_words_path(
	struct kd_arena *arena, const struct kd_book *book, const struct kd_book_path *path);
const char *kd_setting_name(const struct kd_book_setting *s);

/* What the n-th number of an entry was drawn as, in four digits: the exact value is the sample's own. */
const char *kd_words_drawn(struct kd_arena *arena, const struct kd_query *query, const char *draw,
	const struct kd_book_number *n);

/* "date reported, match assumed: assumed"; "" without evidence. */
const char *kd_words_evidence(struct kd_arena *arena, const struct kd_evidence *ev);
/* The grade of the weakest part; KD_GRADE_COUNT without evidence. */
unsigned int kd_evidence_weakest(const struct kd_evidence *ev);
/* All claims of all parts, each once, in order of the parts; *n of them. NULL with *n > 0: no memory. */
const struct kd_claim **kd_evidence_claims(
	struct kd_arena *arena, const struct kd_book *book, const struct kd_evidence *ev, unsigned int *n);
/* One claim id of a comma-separated list at a time; NULL: not in the book. */
const struct kd_claim *kd_claim_next(const struct kd_book *book, const char **ids);

#endif

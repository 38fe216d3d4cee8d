/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The rulebook as read: every rule, setting, claim and signature with its place, checked and with its numbers
 * parsed, before a query picks from it. compile.c makes a policy of it; `check` and `list` show it. Not for
 * the packet path.
 */
#ifndef KD_BOOK_H
#define KD_BOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rulebook/arena.h"
#include "rulebook/diag.h"
#include "rulebook/policy.h"
#include "rulebook/query.h"

struct kd_at {
	const char *file;
	int line;
	const char *path;
};

struct kd_claim {
	struct kd_at at;
	const char *id, *date, *tag, *read, *text;
	const char **sources;
	unsigned int nsources;
	struct kd_dates dates;
	uint8_t grade; /* enum kd_grade */
	bool used;
};

/* By part: ids joined with commas (NULL when there is none) and the grade of the weakest; KD_GRADE_COUNT =
 * not given. */
struct kd_evidence {
	const char *claims[KD_PART_COUNT];
	uint8_t grade[KD_PART_COUNT];
	bool real[KD_PART_COUNT]; /* at least one claim that is not assumed */
};

/* One entry of a name term. */
struct kd_name {
	const char *text; /* canonical: lower case, as it would stand in a rule */
	const char *host; /* plain: the name without its mark; NULL = pattern */
	const char *expr; /* pattern: expression over the whole name */
	uint8_t what;	  /* plain: KD_NAME_SELF | KD_NAME_BELOW */
};

/* Sorted by text, no doubles. */
struct kd_name_list {
	struct kd_name *names;
	unsigned int count;
};

struct kd_scope {
	const char *since_text, *until_text; /* as written; NULL = open */
	int32_t since, until; /* last day of what was written; INT32_MIN, INT32_MAX when open */
	uint32_t networks;    /* bit per enum kd_network; all by default */
};

struct kd_book_rule {
	struct kd_at at;
	const char *id;
	struct kd_scope scope;
	uint8_t phase;
	uint8_t opened_from, from;
	uint64_t protocols;
	const char *name_key; /* "sni"; NULL = no name term */
	struct kd_name_list names;
	uint16_t signature; /* 1-based; 0 = none */
	const char *mechanism;
	int mechanism_index; /* below 0: pending or unknown */
	const char *then;    /* " form=rewrite direction=to-inside": every option, defaults too */
	const char *pending;
	uint8_t params[KD_MECH_PARAMS];
	const char *residual_text, *miss_text; /* as written; NULL = none */
	uint64_t residual_ns, miss;
	bool numbers, unranged; /* it states numbers; one of them has no range */
	bool broken;		/* something was wrong with it: draw no conclusions */
	struct kd_evidence evidence;
};

struct kd_book_setting {
	struct kd_at at;
	unsigned int key; /* index into KD_SETTINGS */
	const char *text;
	uint64_t value;
	struct kd_scope scope;
	struct kd_evidence evidence;
};

struct kd_book_signature {
	struct kd_at at;
	const char *id;
	const char *pattern; /* NULL: it was wrong */
	uint8_t transports;  /* KD_TRANSPORT_* */
	struct kd_evidence evidence;
};

struct kd_list_file {
	const char *name;
	struct kd_name_list names; /* in file order here */
};

/* Up to which day the rulebook claims to be whole, and what it lacks after it. */
struct kd_coverage {
	struct kd_at at; /* file NULL: nobody said */
	int32_t until;
	const char *missing;
	struct kd_evidence evidence;
};

struct kd_book {
	struct kd_arena *arena;
	struct kd_diags *diags;
	const char *dir;
	const char *own; /* the user's own file: no dates or evidence asked for; NULL = the rulebook of dir */
	const char *reading; /* file in hand */
	bool no_memory;
	unsigned int ignored; /* bit per key without effect in a user's own file that was said */
	struct kd_coverage coverage;
	struct kd_claim *claims;
	struct kd_book_signature *signatures;
	struct kd_book_setting *settings;
	struct kd_book_rule *rules; /* in order of file and place */
	struct kd_list_file *lists;
	struct kd_at *cuts; /* integers that libconfig cut to 32 bits; said already */
	unsigned int nclaims, nsignatures, nsettings, nrules, nlists, ncuts;
};

/*
 * Reads DIR's rulebook, or `file` with DIR's claims, signatures and lists behind it. All problems go to
 * diags, errors among them are the caller's to notice. -ENOMEM is the only failure; then *ret is untouched.
 */
int kd_book_load(struct kd_book **ret, const char *dir, const char *file, struct kd_diags *diags);
void kd_book_free(struct kd_book *book);

/* In force on that day and network; everything is, in a user's own file. */
bool kd_book_in_force(const struct kd_book *book, const struct kd_scope *scope, const struct kd_query *query);

/*
 * Answers a profile name with @: fills *query and returns the canonical name, a heap string; NULL with a
 * diagnostic. A day that the rulebook does not cover, or after the newest claim, gets one warning.
 */
char *kd_book_query(const struct kd_book *book, const char *profile, struct kd_query *query);

/* The last day any claim speaks of. */
int32_t kd_book_newest(const struct kd_book *book);
const struct kd_claim *kd_book_claim(const struct kd_book *book, const char *id, size_t len);

/* Picks, sorts, compiles. `profile` is the canonical name. Errors go to book->diags; -EINVAL or -ENOMEM. */
int kd_book_compile(struct kd_policy **ret, const struct kd_book *book, const struct kd_query *query,
	const char *profile, const char *const *set);

#endif

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
#include "rulebook/sample.h"
#include "rulebook/units.h"

struct kd_when;
struct kd_list;
struct kd_prefix;
struct kd_address_term;
struct kd_bib;

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
	bool converted;	  /* plain: it was not written in ASCII */
};

/* Sorted by text, no doubles. */
struct kd_name_list {
	struct kd_name *names;
	unsigned int count;
};

/* Dates and places an entry is limited to. Masks are of the book's arrays; 0 = not limited (networks: all
 * bits). */
struct kd_scope {
	const char *since_text, *until_text; /* as written; NULL = open */
	struct kd_dates since, until;	     /* INT32_MIN / INT32_MAX twice when open */
	uint32_t networks;		     /* bit per enum kd_network */
	uint64_t isps, regions, states, boxes;
};

#define KD_PLACES_MAX 64
#define KD_BOXES_MAX 8

/* An ISP, region or state. */
struct kd_place {
	struct kd_at at;
	const char *id, *title;
	uint32_t networks;     /* ISP: those it runs */
	struct kd_scope scope; /* state: when it was seen */
	struct kd_evidence evidence;
};

struct kd_book_box {
	struct kd_at at;
	const char *id, *title;
	uint8_t sees;	    /* enum kd_sees */
	uint8_t phases;	    /* bit per enum kd_phase it evaluates */
	uint64_t protocols; /* UINT64_MAX = all */
	struct kd_evidence evidence;
};

struct kd_book_path {
	struct kd_at at;
	const char *id;
	struct kd_scope scope;
	uint8_t boxes[KD_BOXES_MAX];
	unsigned int nboxes;
	struct kd_evidence evidence;
};

struct kd_book_tag {
	struct kd_at at;
	const char *id, *title;
	struct kd_prefix *lab;
	unsigned int nlab;
	const struct kd_list *real; /* NULL = none */
	struct kd_evidence evidence;
};

/* A number with its range as a rule writes it. */
struct kd_book_number {
	const char *key;  /* its aspect for draws: "residual.time", "then.rate" */
	const char *text; /* as written; NULL = not given or wrong */
	uint8_t kind;	  /* enum kd_unit_kind */
	uint8_t size;	  /* of an option in params: 4 or 8; 0 = no option */
	uint8_t offset;
	struct kd_number n;
};

/* Things a rule, knob or path uses that do not exist yet. */
struct kd_needs {
	const char **what;
	unsigned int n;
	bool inert; /* one of them makes a rule do nothing */
	bool never; /* one of them stands behind `not`: what the rule would match cannot be told */
};

struct kd_miss {
	struct kd_book_number value;
	struct kd_scope scope;
};

struct kd_residual {
	bool given;
	const char *key;  /* "4-tuple" ... */
	const char *whom; /* client, subscriber, everyone */
	const char *restart;
	uint8_t keyed_by, held_for, restarted_by; /* as in struct kd_rule */
	uint8_t transports;
	uint64_t recognised;	/* announced ones have the bits of kd_protocol_word */
	const char **protocols; /* "udp", "tls": sorted, no doubles; none = all */
	unsigned int nprotocols;
	struct kd_book_number time, publish_after;
};

struct kd_book_rule {
	struct kd_at at;
	const char *id, *title;
	const char *draw; /* name of its draws: "rule:ID" or what it says */
	struct kd_scope scope;
	uint8_t phase;
	bool deny;		     /* default = "deny" */
	uint8_t closes;		     /* an allow */
	struct kd_when *when;	     /* NULL = everything */
	const struct kd_when *count; /* its count term; NULL = none */
	const char *mechanism;	     /* NULL: allows or only observes */
	int mechanism_index;	     /* below 0: pending, unknown or none */
	const char *then; /* " form=rewrite direction=to-inside": every option, defaults too, then what the
			     rule adds: " after.packets=..." */
	struct kd_after after;				/* but for its amount */
	struct kd_book_number after_amount;		/* text NULL = none */
	struct kd_book_number delay_before, flow_share; /* likewise */
	uint8_t extent;					/* enum kd_extent */
	_Alignas(uint64_t) uint8_t
		params[KD_MECH_PARAMS]; /* with default numbers; numbers[] with size != 0 go over it */
	struct kd_residual residual;
	struct kd_miss *misses; /* first in force; none = 0 */
	unsigned int nmisses;
	struct kd_book_number share; /* text NULL = all nodes */
	struct kd_book_number flap;  /* text NULL = it stays */
	const char *other;	     /* else: rule id; NULL = none */
	struct kd_at other_at;
	struct kd_book_number *numbers; /* every number it states, the ones above too */
	unsigned int nnumbers;
	struct kd_needs needs;
	const char *pending;	       /* as written, joined with ", "; NULL = nothing */
	struct kd_book_rule *variants; /* whole rules: what a variant does not say is the rule's own */
	uint32_t *weights;
	const char **variant_names;
	unsigned int nvariants;
	bool numbers_given, unranged, ranged; /* it states numbers; one has no range; one has, or is wrong
						 and may be meant so */
	bool broken;			      /* something was wrong with it: draw no conclusions */
	struct kd_evidence evidence;
};

struct kd_book_setting {
	struct kd_at at;
	unsigned int key; /* index into KD_SETTINGS; KD_SETTING_ANNOUNCED = pending, see name */
	const char *name;
	const char *draw;
	struct kd_book_number *values; /* variants; one when there are none */
	uint32_t *weights;
	unsigned int nvalues;
	const char *pending;
	struct kd_scope scope;
	struct kd_evidence evidence;
};

#define KD_SETTING_ANNOUNCED UINT32_MAX

struct kd_book_knob {
	struct kd_at at;
	const char *name;
	const char *draw;
	const char **values; /* variants; one when there are none */
	uint32_t *weights;
	unsigned int nvalues;
	struct kd_book_number share; /* text NULL = all nodes */
	struct kd_book_number flap;  /* text NULL = it stays */
	uint64_t protocols;	     /* 0 = any; announced ones have the bits of kd_protocol_word */
	struct kd_address_term *to;  /* NULL = any */
	const char *pending;
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

struct kd_list;
struct kd_source_key;
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
	bool unread;	     /* a file could not be read: what seems to be missing may stand there */
	bool no_memory;
	const char *cache; /* folder of compiled matchers; NULL = none. With one, long lists wait with their
			      lines */
	unsigned int ignored; /* bit per key without effect in a user's own file that was said */
	struct kd_coverage coverage;
	struct kd_claim *claims;
	struct kd_bib *bib; /* sources.bib; NULL = there is none */
	struct kd_place *isps, *regions, *states;
	struct kd_book_box *boxes;
	struct kd_book_path *paths;
	struct kd_book_tag *tags;
	struct kd_book_signature *signatures;
	struct kd_book_setting *settings;
	struct kd_book_knob *knobs;
	struct kd_book_rule *rules; /* in order of file and place */
	struct kd_list **lists;
	const char **texts; /* that rules give mechanisms, no doubles: number n at [n - 1] */
	struct kd_at *cuts; /* integers that libconfig cut to 32 bits; said already */
	unsigned int nclaims, nisps, nregions, nstates, nboxes, npaths, ntags, nsignatures, nsettings, nknobs,
		nrules, nlists, ncuts, ntexts;
};

/*
 * Reads DIR's rulebook, or `file` with DIR's claims, signatures and lists behind it. All problems go to
 * diags, errors among them are the caller's to notice. -ENOMEM is the only failure; then *ret is untouched.
 */
int kd_book_load(struct kd_book **ret, const char *dir, const char *file, struct kd_diags *diags);
/* The same for a policy whose matchers may come from the folder `cache`; what is wrong with long lists is
 * then said when they are compiled, and not again. NULL = no cache. */
int kd_book_load_cached(
	struct kd_book **ret, const char *dir, const char *file, const char *cache, struct kd_diags *diags);
void kd_book_free(struct kd_book *book);

/* In force on that day and place; in a user's own file at that box; for NULL everything is. `draw` names the
 * draws of its dates in a sampled box. */
bool kd_book_in_force(const struct kd_book *book, const struct kd_scope *scope, const char *draw,
	const struct kd_query *query);
/* The rule's variant that a query takes; the rule itself when it has none. */
const struct kd_book_rule *kd_book_variant(
	const struct kd_book *book, const struct kd_book_rule *rule, const struct kd_query *query);

/*
 * Answers a profile name with @: fills *query, but for seed and box, and returns the canonical name, a heap
 * string; NULL with a diagnostic. A day that the rulebook does not cover, or after the newest claim, gets one
 * warning; a state asked for on a day that it was not seen, and a network that an ISP does not run, too.
 */
char *kd_book_query(const struct kd_book *book, const char *profile, struct kd_query *query);

/* The last day any claim speaks of. */
int32_t kd_book_newest(const struct kd_book *book);
const struct kd_claim *kd_book_claim(const struct kd_book *book, const char *id, size_t len);

/* The index+1 of a rule, tag, ... by id; 0 = none. */
unsigned int kd_book_rule_find(const struct kd_book *book, const char *id);
const struct kd_book_tag *kd_book_tag_find(const struct kd_book *book, const char *id);

/* Picks, sorts, compiles. `profile` is the canonical name; `real`: real prefixes of tags too. Errors go to
 * book->diags; -EINVAL or -ENOMEM. */
int kd_book_compile(struct kd_policy **ret, const struct kd_book *book, const struct kd_query *query,
	const char *profile, const char *const *set, bool real);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* Between list.c, the files that know one word of it each, and diff.c. All lists print to stdout; -ENOMEM. */
#ifndef KD_CMD_LIST_H
#define KD_CMD_LIST_H

#include "cmd/cmd.h"
#include "rulebook/book.h"

/* What is listed, and how. */
struct kd_list_view {
	struct kd_arena *arena;
	const struct kd_book *book;
	const struct kd_query *query; /* NULL: the whole book */
	const char *const *set;	      /* as --set says; may be NULL */
	bool profile; /* -p was given: what is in force; of a file of one's own without a query, all of it */
	bool json, cite;
};

/*
 * The book a profile speaks of (NULL: the whole rulebook; null: an emptied one). 1: it is a query, and *query
 * has it; 0: it is none, or a wrong one; -ENOMEM. Problems go to diags.
 */
int kd_list_open(struct kd_book **ret, struct kd_query *query, const struct kd_args *args,
	const char *profile, uint64_t seed, struct kd_diags *diags);

/* The days on which something changes. */
int kd_list_profiles(const struct kd_list_view *v);
/* Of the program, without a book. */
int kd_list_protocols(const struct kd_list_view *v);
int kd_list_mechanisms(const struct kd_list_view *v);
int kd_list_reasons(const struct kd_list_view *v);
int kd_list_blind_spots(const struct kd_list_view *v);
/* The rules in force, in order of evaluation. */
int kd_list_rules(const struct kd_list_view *v);
/* With their values. */
int kd_list_settings(const struct kd_list_view *v);
/* Of a query the entries in force; else the table of knobs. */
int kd_list_knobs(const struct kd_list_view *v);
/* Every value that the rulebook gives a knob on any day, defaults first. */
int kd_list_attested(const struct kd_list_view *v);
int kd_list_tags(const struct kd_list_view *v);
int kd_list_places(const struct kd_list_view *v);
int kd_list_claims(const struct kd_list_view *v);
/* Of a query the sources its entries rest on; else all that claims name. */
int kd_list_sources(const struct kd_list_view *v);
/* What the first n sampled boxes of the profile drew. An exit code, complained about. */
int kd_list_samples(const struct kd_args *args, unsigned int n, bool json);

struct kd_json;

/* The sources of each claim, a line each, indented. */
void kd_list_cite(const struct kd_list_view *v, const struct kd_claim *c, const char *indent);
/* A claim as an object: its sources as written, and in words. */
void kd_list_json_claim(struct kd_json *j, const struct kd_list_view *v, const struct kd_claim *c);
/* "evidence":{"match":{"grade":...,"claims":[...]}} and "weakest". */
void kd_list_json_evidence(struct kd_json *j, const struct kd_list_view *v, const struct kd_evidence *ev);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Places and paths as the rulebook declares them: ISPs, regions, states of a network, boxes and the paths
 * they stand on. A query names them; `where` of a rule, knob or setting is limited to them.
 */
#ifndef KD_PLACE_H
#define KD_PLACE_H

#include "rulebook/schema.h"

/* isps, regions, states: read before whatever has a `where`. */
void kd_places_read(struct kd_book *book, const config_setting_t *root);
/* boxes of all files before paths of any, and both before whatever else has a `where`. */
void kd_boxes_read(struct kd_book *book, const config_setting_t *root);
void kd_paths_read(struct kd_book *book, const config_setting_t *root);

/* since, until and where of an entry. In a user's own file they say nothing, which is warned of once a key.
 */
void kd_scope_read(struct kd_book *book, const config_setting_t *group, struct kd_scope *scope);
/* Some plain query that both answer. In sampled boxes the ends of a range may come to lie elsewhere; those
 * that belong together are drawn together. */
bool kd_scopes_meet(const struct kd_book *book, const struct kd_scope *a, const struct kd_scope *b);

/* The id of a group as a query or a `where` could name it, in the book's memory; NULL when it is missing or
 * wrong, which was said. */
const char *kd_place_id(struct kd_book *book, const config_setting_t *group, const char *noun);
/* Says that an id is taken; `first` is where. */
void kd_place_double(struct kd_book *book, const config_setting_t *group, const char *noun, const char *id,
	const struct kd_at *first);

/* The boxes of a query's path, in order from the inside, at least one: where the book has no path there is
 * one that sees both ways and does everything. */
struct kd_path_boxes {
	const struct kd_book_box *box[KD_BOXES_MAX];
	unsigned int n;
};

/* The path that --set path=ID names; NULL = none. Whether the book has it is said by the other. */
const char *kd_path_said(const char *const *set);
void kd_path_check(const struct kd_book *book, const char *id);

void kd_path_of(const struct kd_book *book, const struct kd_query *query, struct kd_path_boxes *ret);

#endif

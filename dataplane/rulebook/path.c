/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads boxes and the paths they stand on, and answers which boxes a query's packets cross. How packets go
 * from one to the next is drivers/chain.c's.
 */
#include "rulebook/place.h"

#include "rulebook/claims.h"
#include "rulebook/rule.h"

#include "engine/protocol.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALL_PHASES ((1u << KD_PHASE_COUNT) - 1)

static uint8_t phases_of(struct kd_book *book, const config_setting_t *list)
{
	char words[256] = "";
	uint8_t mask = 0;
	size_t len = 0;
	int phase;

	if (list == NULL)
		return ALL_PHASES;
	for (unsigned int i = 0; i < KD_PHASE_COUNT; i++)
		len += (size_t)snprintf(
			words + len, sizeof(words) - len, "%s%s", i > 0 ? "|" : "", kd_phase_name(i));
	for (unsigned int i = 0; i < kd_schema_count(list); i++) {
		phase = kd_schema_word(book, kd_schema_element(list, i), "phase", words);
		if (phase >= 0)
			mask |= (uint8_t)(1u << phase);
	}
	return mask;
}

/* A box may be known to recognise what kordon does not yet: nothing comes of that, and nothing is wrong. */
static uint64_t protocols_of(struct kd_book *book, const config_setting_t *list)
{
	uint64_t mask = 0;

	if (list == NULL)
		return UINT64_MAX;
	for (unsigned int i = 0; i < kd_schema_count(list); i++) {
		int n = kd_protocol_word(book, kd_schema_element(list, i), "protocol", "");

		if (n >= 0 && n < KD_PROTOCOL_COUNT)
			mask |= 1ull << n;
	}
	return mask;
}

/* X-ARCH-10: type A does everything; type B filters by address and looks into HTTP for URLs, nothing else. */
static void type_of(struct kd_book *book, const config_setting_t *group, struct kd_book_box *b)
{
	const config_setting_t *type = kd_schema_get(group, "type", KD_TYPE_STRING);

	if (type == NULL || kd_schema_word(book, type, "type", "A|B") != 1)
		return;
	if (config_setting_get_member(group, "phases") != NULL ||
		config_setting_get_member(group, "protocols") != NULL)
		kd_schema_error(book, type, "leave `type` or the others out",
			"type B says which phases and protocols it has");
	b->phases = 1u << KD_PHASE_ADDRESSES | 1u << KD_PHASE_NAMES_BLOCKED;
	b->protocols = 1ull << KD_PROTOCOL_http;
}

static void box(struct kd_book *book, const config_setting_t *group)
{
	static const struct kd_key keys[] = {{"id", KD_TYPE_STRING, true}, {"title", KD_TYPE_STRING, false},
		{"type", KD_TYPE_STRING, false}, {"sees", KD_TYPE_STRING, false},
		{"phases", KD_TYPE_STRINGS, false}, {"protocols", KD_TYPE_STRINGS, false},
		{"evidence", KD_TYPE_GROUP, false}, {NULL, 0, false}};
	const config_setting_t *sees = kd_schema_get(group, "sees", KD_TYPE_STRING);
	const char *title = kd_schema_string(group, "title");
	struct kd_book_box b = {0};

	kd_schema_check(book, group, keys);
	b.at = kd_schema_at(book, group);
	b.id = kd_place_id(book, group, "box");
	b.title = title != NULL ? kd_schema_keep(book, title) : NULL;
	if (sees != NULL && kd_schema_word(book, sees, "way to see", "both|upstream") == 1)
		b.sees = KD_SEES_UPSTREAM;
	b.phases = phases_of(book, kd_schema_get(group, "phases", KD_TYPE_STRINGS));
	b.protocols = protocols_of(book, kd_schema_get(group, "protocols", KD_TYPE_STRINGS));
	type_of(book, group, &b);
	kd_evidence_read(book, group, &b.evidence);
	if (b.id == NULL || b.at.file == NULL)
		return;
	for (unsigned int i = 0; i < book->nboxes; i++)
		if (strcmp(book->boxes[i].id, b.id) == 0) {
			kd_place_double(book, group, "box", b.id, &book->boxes[i].at);
			return;
		}
	if (book->nboxes == KD_PLACES_MAX) {
		kd_schema_error(book, group, NULL, "more than %d boxes", KD_PLACES_MAX);
		return;
	}
	book->boxes = kd_arena_grow(book->arena, book->boxes, book->nboxes, sizeof(b));
	if (book->boxes == NULL) {
		book->no_memory = true;
		book->nboxes = 0;
		return;
	}
	book->boxes[book->nboxes++] = b;
}

void kd_boxes_read(struct kd_book *book, const config_setting_t *root)
{
	kd_schema_each(book, root, "boxes", box);
}

static int box_find(struct kd_book *book, const config_setting_t *s)
{
	const char *id = config_setting_get_string(s), *words = "";

	for (unsigned int i = 0; i < book->nboxes; i++)
		if (strcmp(book->boxes[i].id, id) == 0)
			return (int)i;
	for (unsigned int i = 0; i < book->nboxes && words != NULL; i++)
		words = kd_arena_printf(book->arena, "%s%s%s", words, i > 0 ? "|" : "", book->boxes[i].id);
	if (words == NULL)
		book->no_memory = true;
	else
		kd_schema_unknown(book, s, "box", id, words);
	return -1;
}

static void boxes_of(struct kd_book *book, const config_setting_t *list, struct kd_book_path *p)
{
	for (unsigned int i = 0; i < kd_schema_count(list); i++) {
		const config_setting_t *s = kd_schema_element(list, i);
		int found = box_find(book, s);

		if (found < 0)
			continue;
		if (memchr(p->boxes, found, p->nboxes) != NULL) {
			kd_schema_error(book, s, "declare a second box", "\"%.80s\" stands on the path twice",
				book->boxes[found].id);
			continue;
		}
		if (p->nboxes == KD_BOXES_MAX) {
			kd_schema_error(book, s, NULL, "more than %d boxes on a path", KD_BOXES_MAX);
			return;
		}
		p->boxes[p->nboxes++] = (uint8_t)found;
	}
}

static void path(struct kd_book *book, const config_setting_t *group)
{
	static const struct kd_key keys[] = {{"id", KD_TYPE_STRING, true}, {"boxes", KD_TYPE_STRINGS, true},
		{"since", KD_TYPE_STRING, false}, {"until", KD_TYPE_STRING, false},
		{"where", KD_TYPE_GROUP, false}, {"pending", KD_TYPE_STRINGS, false},
		{"evidence", KD_TYPE_GROUP, false}, {NULL, 0, false}};
	const config_setting_t *list = kd_schema_get(group, "boxes", KD_TYPE_STRINGS);
	const struct kd_needs nothing = {0};
	struct kd_book_path p = {0};
	const char *pending;

	kd_schema_check(book, group, keys);
	p.at = kd_schema_at(book, group);
	p.id = kd_place_id(book, group, "path");
	kd_scope_read(book, group, &p.scope);
	if (p.scope.boxes != 0)
		kd_schema_error(book, kd_schema_get(group, "where", KD_TYPE_GROUP),
			"\"boxes\" names its boxes", "a path cannot be limited to a box");
	boxes_of(book, list, &p);
	kd_pending_read(book, group, &nothing, &pending, NULL);
	kd_evidence_read(book, group, &p.evidence);
	if (p.id == NULL || p.at.file == NULL || p.nboxes == 0)
		return;
	for (unsigned int i = 0; i < book->npaths; i++)
		if (strcmp(book->paths[i].id, p.id) == 0) {
			kd_place_double(book, group, "path", p.id, &book->paths[i].at);
			return;
		}
	book->paths = kd_arena_grow(book->arena, book->paths, book->npaths, sizeof(p));
	if (book->paths == NULL) {
		book->no_memory = true;
		book->npaths = 0;
		return;
	}
	book->paths[book->npaths++] = p;
}

void kd_paths_read(struct kd_book *book, const config_setting_t *root)
{
	kd_schema_each(book, root, "paths", path);
}

const char *kd_path_said(const char *const *set)
{
	const char *said = NULL;

	for (; set != NULL && *set != NULL; set++)
		if (strncmp(*set, "path=", 5) == 0)
			said = *set + 5;
	return said;
}

void kd_path_check(const struct kd_book *book, const char *id)
{
	char hint[400] = "";
	size_t len = 0;

	for (unsigned int i = 0; i < book->npaths; i++) {
		if (strcmp(book->paths[i].id, id) == 0)
			return;
		if (len < sizeof(hint))
			len += (size_t)snprintf(hint + len, sizeof(hint) - len, "%s%s",
				i > 0 ? ", " : "known: ", book->paths[i].id);
	}
	kd_diag(book->diags, KD_DIAG_ERROR, NULL, 0, "--set", len > 0 ? hint : "no paths are declared here",
		"unknown path \"%.80s\"", id);
}

void kd_path_of(const struct kd_book *book, const struct kd_query *query, struct kd_path_boxes *ret)
{
	static const struct kd_book_box only = {
		.id = "box", .sees = KD_SEES_BOTH, .phases = ALL_PHASES, .protocols = UINT64_MAX};
	char draw[160];

	*ret = (struct kd_path_boxes){.box = {&only}, .n = 1};
	for (unsigned int i = 0; i < book->npaths; i++) {
		const struct kd_book_path *p = &book->paths[i];
		struct kd_scope scope = p->scope;

		if (query != NULL && query->path != NULL && strcmp(p->id, query->path) != 0)
			continue;
		scope.boxes = 0; /* said when it was read; asking would lead back here */
		snprintf(draw, sizeof(draw), "path:%s", p->id);
		if ((query == NULL || query->path == NULL) && !kd_book_in_force(book, &scope, draw, query))
			continue;
		ret->n = p->nboxes;
		for (unsigned int b = 0; b < p->nboxes; b++)
			ret->box[b] = &book->boxes[p->boxes[b]];
		return;
	}
}

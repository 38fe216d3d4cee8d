/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads ISPs, regions and states, and the dates and places that an entry is limited to. Whether an entry is
 * in force for a query is decided in book.c; which box a query's path has in path.c.
 */
#include "rulebook/place.h"

#include "rulebook/claims.h"

#include <stdio.h>
#include <string.h>

#define ALL_NETWORKS ((1u << KD_NETWORK_COUNT) - 1)

const char *kd_place_id(struct kd_book *book, const config_setting_t *group, const char *noun)
{
	const config_setting_t *s = kd_schema_get(group, "id", KD_TYPE_STRING);
	const char *id;

	if (s == NULL)
		return NULL;
	id = config_setting_get_string(s);
	if (strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789._-") == strlen(id) &&
		strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789") > 0)
		return kd_schema_keep(book, id);
	kd_schema_error(book, s, "expected a to z, 0 to 9, and . _ - behind the first character",
		"%s \"%.80s\": a profile could not name it", noun, id);
	return NULL;
}

void kd_place_double(struct kd_book *book, const config_setting_t *group, const char *noun, const char *id,
	const struct kd_at *first)
{
	char hint[400];

	snprintf(hint, sizeof(hint), "first at %s:%d", first->file, first->line);
	kd_schema_error(
		book, kd_schema_get(group, "id", KD_TYPE_STRING), hint, "double id: %s \"%.80s\"", noun, id);
}

static uint32_t networks_of(struct kd_book *book, const config_setting_t *list)
{
	uint32_t mask = 0;
	int network;

	if (list == NULL)
		return ALL_NETWORKS;
	for (unsigned int i = 0; i < kd_schema_count(list); i++) {
		network = kd_schema_word(book, kd_schema_element(list, i), "network", KD_NETWORK_WORDS);
		if (network >= 0)
			mask |= 1u << network;
	}
	return mask;
}

static void place(struct kd_book *book, const config_setting_t *group, const char *noun,
	struct kd_place **list, unsigned int *count)
{
	struct kd_place p = {.at = kd_schema_at(book, group), .id = kd_place_id(book, group, noun)};
	const char *title = kd_schema_string(group, "title");

	kd_scope_read(book, group, &p.scope);
	kd_evidence_read(book, group, &p.evidence);
	p.networks = networks_of(book, kd_schema_get(group, "networks", KD_TYPE_STRINGS));
	p.title = title != NULL ? kd_schema_keep(book, title) : NULL;
	if (p.id == NULL || p.at.file == NULL)
		return;
	for (unsigned int i = 0; i < *count; i++)
		if (strcmp((*list)[i].id, p.id) == 0) {
			kd_place_double(book, group, noun, p.id, &(*list)[i].at);
			return;
		}
	if (*count == KD_PLACES_MAX) {
		kd_schema_error(book, group, NULL, "more than %d of this kind: %s \"%.80s\"", KD_PLACES_MAX,
			noun, p.id);
		return;
	}
	*list = kd_arena_grow(book->arena, *list, *count, sizeof(p));
	if (*list == NULL) {
		book->no_memory = true;
		*count = 0;
		return;
	}
	(*list)[(*count)++] = p;
}

static void isp(struct kd_book *book, const config_setting_t *group)
{
	static const struct kd_key keys[] = {{"id", KD_TYPE_STRING, true}, {"title", KD_TYPE_STRING, false},
		{"networks", KD_TYPE_STRINGS, false}, {"evidence", KD_TYPE_GROUP, false}, {NULL, 0, false}};

	kd_schema_check(book, group, keys);
	place(book, group, "ISP", &book->isps, &book->nisps);
}

static void region(struct kd_book *book, const config_setting_t *group)
{
	static const struct kd_key keys[] = {{"id", KD_TYPE_STRING, true}, {"title", KD_TYPE_STRING, false},
		{"evidence", KD_TYPE_GROUP, false}, {NULL, 0, false}};

	kd_schema_check(book, group, keys);
	place(book, group, "region", &book->regions, &book->nregions);
}

static void state(struct kd_book *book, const config_setting_t *group)
{
	static const struct kd_key keys[] = {{"id", KD_TYPE_STRING, true}, {"title", KD_TYPE_STRING, false},
		{"since", KD_TYPE_STRING, false}, {"until", KD_TYPE_STRING, false},
		{"evidence", KD_TYPE_GROUP, false}, {NULL, 0, false}};

	kd_schema_check(book, group, keys);
	place(book, group, "state", &book->states, &book->nstates);
}

void kd_places_read(struct kd_book *book, const config_setting_t *root)
{
	kd_schema_each(book, root, "isps", isp);
	kd_schema_each(book, root, "regions", region);
	kd_schema_each(book, root, "states", state);
}

static const char *date_of(
	struct kd_book *book, const config_setting_t *group, const char *key, struct kd_dates *dates)
{
	const config_setting_t *s = kd_schema_get(group, key, KD_TYPE_STRING);
	struct kd_fault fault;
	const char *text;

	if (s == NULL)
		return NULL;
	text = config_setting_get_string(s);
	if (kd_dates_parse(dates, text, strlen(text), &fault) < 0) {
		kd_schema_fault(book, s, &fault);
		return NULL;
	}
	return kd_schema_keep(book, text);
}

/* `where` that names boxes and nothing else: their path stands in the same file. */
static bool only_boxes(const config_setting_t *s)
{
	return config_setting_is_group(s) && config_setting_length(s) == 1 &&
	       config_setting_get_member(s, "box") != NULL;
}

/* A file of one's own is a profile already: no day and no place are asked of it, but which box is meant. */
static void no_effect(struct kd_book *book, const config_setting_t *group)
{
	static const char *const keys[] = {"since", "until", "where"};

	for (unsigned int i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		const config_setting_t *s = config_setting_get_member(group, keys[i]);

		if (s == NULL || (book->ignored >> i & 1) != 0 || only_boxes(s))
			continue;
		book->ignored |= 1u << i;
		kd_schema_warn(book, s, "all that stands in it is in force, whatever the day and the network",
			"\"%s\" has no effect in a profile file", keys[i]);
	}
}

/* What `where` may name under one key: the n-th id of an array of structs that hold it at `offset`. */
struct known {
	const char *noun;
	const void *array;
	unsigned int n;
	size_t size, offset;
};

static const char *id_of(const struct known *k, unsigned int i)
{
	const char *id;

	memcpy(&id, (const char *)k->array + i * k->size + k->offset, sizeof(id));
	return id;
}

static void unknown(struct kd_book *book, const config_setting_t *s, const struct known *k)
{
	const char *words = "";

	for (unsigned int i = 0; i < k->n && words != NULL; i++)
		words = kd_arena_printf(book->arena, "%s%s%s", words, i > 0 ? "|" : "", id_of(k, i));
	if (words == NULL)
		book->no_memory = true;
	else
		kd_schema_unknown(book, s, k->noun, config_setting_get_string(s), words);
}

static uint64_t mask_of(struct kd_book *book, const config_setting_t *list, const struct known *k)
{
	uint64_t mask = 0;

	for (unsigned int i = 0; i < kd_schema_count(list); i++) {
		const config_setting_t *s = kd_schema_element(list, i);
		unsigned int n = 0;

		while (n < k->n && strcmp(id_of(k, n), config_setting_get_string(s)) != 0)
			n++;
		if (n < k->n)
			mask |= 1ull << n;
		else
			unknown(book, s, k);
	}
	return mask;
}

static void where_of(struct kd_book *book, const config_setting_t *where, struct kd_scope *scope)
{
	static const struct kd_key keys[] = {{"network", KD_TYPE_STRINGS, false},
		{"isp", KD_TYPE_STRINGS, false}, {"region", KD_TYPE_STRINGS, false},
		{"state", KD_TYPE_STRINGS, false}, {"box", KD_TYPE_STRINGS, false}, {NULL, 0, false}};
	const size_t id = offsetof(struct kd_place, id);
	const struct known isps = {"ISP", book->isps, book->nisps, sizeof(*book->isps), id};
	const struct known regions = {"region", book->regions, book->nregions, sizeof(*book->regions), id};
	const struct known states = {"state", book->states, book->nstates, sizeof(*book->states), id};
	const struct known boxes = {
		"box", book->boxes, book->nboxes, sizeof(*book->boxes), offsetof(struct kd_book_box, id)};

	kd_schema_check(book, where, keys);
	scope->networks = networks_of(book, kd_schema_get(where, "network", KD_TYPE_STRINGS));
	/* Places of the rulebook are not read behind a file of one's own, so none could be known. */
	if (book->own == NULL) {
		scope->isps = mask_of(book, kd_schema_get(where, "isp", KD_TYPE_STRINGS), &isps);
		scope->regions = mask_of(book, kd_schema_get(where, "region", KD_TYPE_STRINGS), &regions);
		scope->states = mask_of(book, kd_schema_get(where, "state", KD_TYPE_STRINGS), &states);
	}
	scope->boxes = mask_of(book, kd_schema_get(where, "box", KD_TYPE_STRINGS), &boxes);
}

void kd_scope_read(struct kd_book *book, const config_setting_t *group, struct kd_scope *scope)
{
	const config_setting_t *where = kd_schema_get(group, "where", KD_TYPE_GROUP);

	if (book->own != NULL)
		no_effect(book, group);
	*scope = (struct kd_scope){
		.since = {INT32_MIN, INT32_MIN}, .until = {INT32_MAX, INT32_MAX}, .networks = ALL_NETWORKS};
	scope->since_text = date_of(book, group, "since", &scope->since);
	scope->until_text = date_of(book, group, "until", &scope->until);
	if (scope->since_text != NULL && scope->until_text != NULL && scope->since.last > scope->until.last)
		kd_schema_error(book, kd_schema_get(group, "until", KD_TYPE_STRING), NULL,
			"date order: until \"%s\" is before since \"%s\"", scope->until_text,
			scope->since_text);
	if (where != NULL)
		where_of(book, where, scope);
}

/* 0 = not limited. */
static bool meet(uint64_t a, uint64_t b)
{
	return a == 0 || b == 0 || (a & b) != 0;
}

bool kd_scopes_meet(const struct kd_book *book, const struct kd_scope *a, const struct kd_scope *b)
{
	if (book->own != NULL)
		return meet(a->boxes, b->boxes);
	return a->since.last < b->until.last && b->since.last < a->until.last &&
	       a->since.last < a->until.last && b->since.last < b->until.last &&
	       (a->networks & b->networks) != 0 && meet(a->isps, b->isps) && meet(a->regions, b->regions) &&
	       meet(a->states, b->states) && meet(a->boxes, b->boxes);
}

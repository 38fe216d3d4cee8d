/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads knobs: what a box makes of an ambiguity of TCP/IP or TLS. One that nothing reads yet is checked
 * against the words it will have, and waits. Of two that fit a flow the first counts, which is the engine's
 * to find (engine/knob.c).
 */
#include "rulebook/rule.h"

#include "engine/knob.h"
#include "engine/protocol.h"
#include "rulebook/announced.h"
#include "rulebook/claims.h"
#include "rulebook/place.h"
#include "rulebook/term.h"
#include "rulebook/units.h"
#include "rulebook/when.h"

#include <stdio.h>
#include <string.h>

static void evidence_of(struct kd_book *book, const config_setting_t *group, struct kd_book_knob *knob)
{
	kd_evidence_read(book, group, &knob->evidence);
	if (book->own != NULL)
		return;
	for (unsigned int p = 0; p < KD_PART_COUNT; p++)
		if (knob->evidence.grade[p] != KD_GRADE_COUNT)
			return;
	kd_schema_error(book, group, "expected evidence = { then = [ ... ]; }, with claims or \"assumed\"",
		"a knob without evidence");
}

/* The knobs there are, in the shape of those there will be. */
static const struct kd_announced there[] = {
#define X(symbol, name, values, deflt, claim, help) {name, KD_UNIT_KINDS, values, help},
	KD_KNOBS(X)
#undef X
		{NULL, 0, NULL, NULL},
};

static const struct kd_announced *which(
	struct kd_book *book, const config_setting_t *group, struct kd_needs *needs)
{
	const config_setting_t *s = kd_schema_get(group, "set", KD_TYPE_STRING);
	const struct kd_announced *row;
	char words[2048], what[128];
	size_t len;

	if (s == NULL)
		return NULL;
	row = kd_announced_find(there, config_setting_get_string(s));
	if (row != NULL)
		return row;
	row = kd_announced_find(kd_announced_knobs, config_setting_get_string(s));
	if (row == NULL) {
		kd_announced_words(words, sizeof(words), there);
		len = strlen(words);
		words[len++] = '|';
		kd_announced_words(words + len, sizeof(words) - len, kd_announced_knobs);
		kd_schema_unknown(book, s, "knob", config_setting_get_string(s), words);
		return NULL;
	}
	snprintf(what, sizeof(what), "knob:%s", row->name);
	kd_needs_add(book, needs, what, true);
	return row;
}

static void value_add(struct kd_book *book, const config_setting_t *value, uint32_t weight,
	const struct kd_announced *row, struct kd_book_knob *knob)
{
	struct kd_book_number number;
	char buf[KD_SCALAR_TEXT];
	const char *text = kd_schema_keep(book, kd_scalar_text(value, buf));

	if (row->kind != KD_UNIT_KINDS)
		kd_number_read(book, value, "value", row->kind, &number);
	else if (config_setting_type(value) != CONFIG_TYPE_STRING)
		kd_schema_error(book, value, NULL, "expected a string in quotes");
	else if (row->words != NULL)
		kd_schema_word(book, value, "value", row->words);
	knob->values = kd_arena_grow(book->arena, knob->values, knob->nvalues, sizeof(*knob->values));
	knob->weights = kd_arena_grow(book->arena, knob->weights, knob->nvalues, sizeof(*knob->weights));
	if (knob->values == NULL || knob->weights == NULL || text == NULL) {
		book->no_memory = true;
		knob->nvalues = 0;
		return;
	}
	knob->values[knob->nvalues] = text;
	knob->weights[knob->nvalues++] = weight;
}

static void values(struct kd_book *book, const config_setting_t *group, const struct kd_announced *row,
	struct kd_book_knob *knob)
{
	static const struct kd_key keys[] = {{"name", KD_TYPE_STRING, false},
		{"weight", KD_TYPE_NUMBER, false}, {"value", KD_TYPE_NUMBER, true}, {NULL, 0, false}};
	const config_setting_t *value = kd_schema_get(group, "value", KD_TYPE_NUMBER),
			       *variants = kd_schema_get(group, "variants", KD_TYPE_GROUPS);

	if (variants == NULL && value != NULL && row != NULL)
		value_add(book, value, 1, row, knob);
	if (variants == NULL)
		return;
	kd_variants_count(book, variants);
	for (int i = 0; i < config_setting_length(variants); i++) {
		const config_setting_t *v = config_setting_get_elem(variants, (unsigned int)i);
		uint32_t weight;

		if (!config_setting_is_group(v))
			continue;
		kd_schema_check(book, v, keys);
		weight = kd_weight_read(book, v);
		value = kd_schema_get(v, "value", KD_TYPE_NUMBER);
		if (value != NULL && row != NULL)
			value_add(book, value, weight, row, knob);
	}
}

/* No flow is ever recognised as an announced one; its bit tells it from the others. */
static uint64_t protocols(struct kd_book *book, const config_setting_t *list, struct kd_needs *needs)
{
	uint64_t mask = 0;
	char what[128];

	for (unsigned int i = 0; i < kd_schema_count(list); i++) {
		const config_setting_t *e = kd_schema_element(list, i);
		int found = kd_protocol_word(book, e, "protocol", "");

		if (found >= KD_PROTOCOL_COUNT) {
			snprintf(what, sizeof(what), "protocol:%s", config_setting_get_string(e));
			kd_needs_add(book, needs, what, false);
		}
		if (found >= 0 && found < 64)
			mask |= 1ull << found;
	}
	return mask;
}

/* Which flows it is for. */
static void fits(struct kd_book *book, const config_setting_t *group, struct kd_needs *needs,
	struct kd_book_knob *knob)
{
	const config_setting_t *s = kd_schema_get(group, "protocol", KD_TYPE_STRINGS);

	if (s != NULL)
		knob->protocols = protocols(book, s, needs);
	s = kd_schema_get(group, "to", KD_TYPE_STRINGS);
	if (s != NULL) {
		knob->to = kd_arena_alloc(book->arena, sizeof(*knob->to));
		if (knob->to == NULL)
			book->no_memory = true;
		else
			kd_address_read(book, s, knob->to);
	}
	s = kd_schema_get(group, "share", KD_TYPE_STRING);
	if (s != NULL)
		kd_number_read(book, s, "share", KD_UNIT_SHARE, &knob->share);
	s = kd_schema_get(group, "flap", KD_TYPE_STRING);
	if (s != NULL && kd_number_read(book, s, "flap", KD_UNIT_DURATION, &knob->flap))
		kd_flap_lasts(book, s, &knob->flap);
}

static bool has_tag(const struct kd_address_term *t, const struct kd_book_tag *tag)
{
	for (unsigned int i = 0; i < t->ntags; i++)
		if (t->tags[i] == tag)
			return true;
	return false;
}

static bool has_prefix(const struct kd_address_term *t, const struct kd_prefix *p)
{
	for (unsigned int i = 0; i < t->nown; i++)
		if (t->own[i].v6 == p->v6 && t->own[i].bits == p->bits &&
			memcmp(t->own[i].addr, p->addr, sizeof(p->addr)) == 0)
			return true;
	return false;
}

static bool within(const struct kd_address_term *a, const struct kd_address_term *b)
{
	for (unsigned int i = 0; i < a->ntags; i++)
		if (!has_tag(b, a->tags[i]))
			return false;
	for (unsigned int i = 0; i < a->nown; i++)
		if (!has_prefix(b, &a->own[i]))
			return false;
	return true;
}

static bool same_to(const struct kd_address_term *a, const struct kd_address_term *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return within(a, b) && within(b, a);
}

/* A knob that an earlier one forestalls wherever both are in force; a share leaves it some nodes, a flap some
 * time. */
static void twice(struct kd_book *book, const config_setting_t *group, const struct kd_book_knob *k)
{
	char hint[400];

	for (unsigned int i = 0; i < book->nknobs; i++) {
		const struct kd_book_knob *b = &book->knobs[i];

		if (strcmp(b->name, k->name) != 0 || b->share.text != NULL || b->flap.text != NULL ||
			b->protocols != k->protocols || !same_to(b->to, k->to) ||
			!kd_scopes_meet(book, &b->scope, &k->scope))
			continue;
		snprintf(hint, sizeof(hint), "first at %s:%d", b->at.file, b->at.line);
		kd_schema_error(
			book, group, hint, "\"%s\" is set twice for the same days and flows", k->name);
		return;
	}
}

static void knob(struct kd_book *book, const config_setting_t *group)
{
	bool varies = config_setting_get_member(group, "variants") != NULL;
	const struct kd_key keys[] = {{"set", KD_TYPE_STRING, true}, {"value", KD_TYPE_NUMBER, !varies},
		{"since", KD_TYPE_STRING, false}, {"until", KD_TYPE_STRING, false},
		{"where", KD_TYPE_GROUP, false}, {"to", KD_TYPE_STRINGS, false},
		{"protocol", KD_TYPE_STRINGS, false}, {"share", KD_TYPE_STRING, false},
		{"flap", KD_TYPE_STRING, false}, {"variants", KD_TYPE_GROUPS, false},
		{"draw", KD_TYPE_STRING, false}, {"evidence", KD_TYPE_GROUP, false},
		{"pending", KD_TYPE_STRINGS, false}, {NULL, 0, false}};
	const char *draw = kd_schema_string(group, "draw");
	const struct kd_announced *row;
	struct kd_book_knob k = {0};
	struct kd_needs needs = {0};
	unsigned int errors;
	bool right;

	kd_schema_check(book, group, keys);
	if (varies && config_setting_get_member(group, "value") != NULL)
		kd_schema_error(book, config_setting_get_member(group, "value"), "each variant has its own",
			"\"value\" beside \"variants\"");
	row = which(book, group, &needs);
	errors = book->diags->errors;
	kd_scope_read(book, group, &k.scope);
	k.at = kd_schema_at(book, group);
	values(book, group, row, &k);
	fits(book, group, &needs, &k);
	right = book->diags->errors == errors;
	if (row != NULL)
		kd_pending_read(book, group, &needs, &k.pending, NULL);
	evidence_of(book, group, &k);
	if (row == NULL || k.nvalues == 0 || book->no_memory)
		return;
	k.name = row->name;
	k.draw = draw != NULL ? kd_schema_keep(book, draw)
			      : kd_arena_printf(book->arena, "knob:%s", row->name);
	if (right)
		twice(book, group, &k);
	book->knobs = kd_arena_grow(book->arena, book->knobs, book->nknobs, sizeof(k));
	if (book->knobs == NULL || k.draw == NULL) {
		book->no_memory = true;
		book->nknobs = 0;
		return;
	}
	book->knobs[book->nknobs++] = k;
}

void kd_knobs_read(struct kd_book *book, const config_setting_t *root)
{
	kd_schema_each(book, root, "knobs", knob);
}

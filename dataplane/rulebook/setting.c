/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads settings and resolves them. Every number is held against the kind its key has; none may be 0. A
 * setting that is only announced is checked and kept, and changes nothing.
 */
#include "rulebook/setting.h"

#include "engine/knob.h"
#include "rulebook/announced.h"
#include "rulebook/claims.h"
#include "rulebook/place.h"
#include "rulebook/rule.h"
#include "rulebook/sample.h"
#include "rulebook/units.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One for all of them, so that settings with one draw name are drawn together. */
#define ASPECT "value"

const struct kd_setting_row kd_setting_rows[KD_SETTING_COUNT] = {
#define X(symbol, key, kind, deflt, claim, help)                                                             \
	{key, KD_UNIT_##kind, deflt, claim, help, offsetof(struct kd_settings, symbol)},
	KD_SETTINGS(X)
#undef X
};

#define X(symbol, key, kind, deflt, claim, help) "|" key
static const char words[] = KD_SETTINGS(X);
#undef X

/* What --set takes. */
#define X(symbol, name, values, deflt, claim, help) "|" name
#define SETTING(symbol, key, kind, deflt, claim, help) "|" key
static const char settable[] = KD_SETTINGS(SETTING) KD_KNOBS(X) "|path";
#undef SETTING
#undef X

static int find(const char *key, size_t len)
{
	for (int i = 0; i < KD_SETTING_COUNT; i++)
		if (strlen(kd_setting_rows[i].key) == len && memcmp(kd_setting_rows[i].key, key, len) == 0)
			return i;
	return -ENOENT;
}

static int value_of(struct kd_number *ret, unsigned int key, const char *text, struct kd_fault *fault)
{
	int rc = kd_units_parse(ret, kd_setting_rows[key].kind, text, strlen(text), fault);

	if (rc == 0 && ret->lo == 0)
		return kd_fault(fault, NULL, "\"%.80s\": must be more than 0", text);
	return rc;
}

static void evidence_of(
	struct kd_book *book, const config_setting_t *group, struct kd_book_setting *st, bool ranged)
{
	kd_evidence_read(book, group, &st->evidence);
	if (book->own != NULL)
		return;
	if (st->evidence.grade[KD_PART_NUMBERS] == KD_GRADE_COUNT)
		kd_schema_error(book, group,
			"expected evidence = { numbers = [ ... ]; }, with claims or \"assumed\"",
			"a box number without a claim");
	if (st->evidence.grade[KD_PART_NUMBERS] == KD_GRADE_ASSUMED && !ranged)
		kd_schema_error(
			book, group, "expected \"VALUE UNIT (LO..HI)\"", "an assumed number without a range");
}

/* Which setting it is: key and name, and a need when it is still to come. No name: neither. */
static void which(struct kd_book *book, const config_setting_t *group, struct kd_book_setting *st,
	const struct kd_announced **ret_row, struct kd_needs *needs)
{
	const config_setting_t *s = kd_schema_get(group, "set", KD_TYPE_STRING);
	const char *key;
	char what[128];
	int found;

	*ret_row = NULL;
	if (s == NULL)
		return;
	key = config_setting_get_string(s);
	found = find(key, strlen(key));
	if (found >= 0) {
		st->key = (unsigned int)found;
		st->name = kd_setting_rows[found].key;
		return;
	}
	*ret_row = kd_announced_find(kd_announced_settings, key);
	if (*ret_row == NULL) {
		kd_schema_unknown(book, s, "setting", key, words + 1);
		return;
	}
	st->key = KD_SETTING_ANNOUNCED;
	snprintf(what, sizeof(what), "setting:%s", (*ret_row)->name);
	kd_needs_add(book, needs, what, true);
	st->name = (*ret_row)->name;
}

/* One value into st, with its weight. Whether it is a number with a range, or not even right. */
static bool value_add(struct kd_book *book, const config_setting_t *value, uint32_t weight,
	const struct kd_announced *row, struct kd_book_setting *st)
{
	unsigned int kind = row != NULL ? row->kind : kd_setting_rows[st->key].kind;
	struct kd_book_number n = {.key = ASPECT, .kind = (uint8_t)kind};
	bool told = false;
	char buf[KD_SCALAR_TEXT];

	if (kind == KD_UNIT_KINDS) {
		n.text = kd_schema_keep(book, kd_scalar_text(value, buf));
		n.n.ranged = true; /* a word has no range to miss */
		if (row->words != NULL && config_setting_type(value) == CONFIG_TYPE_STRING)
			kd_schema_word(book, value, "value", row->words);
	} else if (!kd_number_read(book, value, ASPECT, kind, &n)) {
		n.text = kd_schema_keep(book, kd_scalar_text(value, buf));
		n.key = ASPECT;
		told = true;
	} else if (row == NULL && n.n.lo == 0) {
		kd_schema_error(book, value, NULL, "\"%.80s\": must be more than 0", n.text);
		told = true;
	}
	st->values = kd_arena_grow(book->arena, st->values, st->nvalues, sizeof(*st->values));
	st->weights = kd_arena_grow(book->arena, st->weights, st->nvalues, sizeof(*st->weights));
	if (st->values == NULL || st->weights == NULL || n.text == NULL) {
		book->no_memory = true;
		st->nvalues = 0;
		return true;
	}
	st->values[st->nvalues] = n;
	st->weights[st->nvalues++] = weight;
	return told || n.n.ranged;
}

/* `value` or `variants`, one of them. Returns what value_add does, of all; variants are a switch. */
static bool values(struct kd_book *book, const config_setting_t *group, const struct kd_announced *row,
	struct kd_book_setting *st)
{
	static const struct kd_key keys[] = {{"name", KD_TYPE_STRING, false},
		{"weight", KD_TYPE_NUMBER, false}, {"value", KD_TYPE_NUMBER, true}, {NULL, 0, false}};
	const config_setting_t *value = kd_schema_get(group, "value", KD_TYPE_NUMBER),
			       *variants = kd_schema_get(group, "variants", KD_TYPE_GROUPS);

	if (variants == NULL)
		return value == NULL || st->name == NULL || value_add(book, value, 1, row, st);
	kd_variants_count(book, variants);
	for (int i = 0; i < config_setting_length(variants); i++) {
		const config_setting_t *v = config_setting_get_elem(variants, (unsigned int)i);
		uint32_t weight;

		if (!config_setting_is_group(v))
			continue;
		kd_schema_check(book, v, keys);
		weight = kd_weight_read(book, v);
		value = kd_schema_get(v, "value", KD_TYPE_NUMBER);
		if (value != NULL && st->name != NULL)
			value_add(book, value, weight, row, st);
	}
	return true;
}

static void twice(struct kd_book *book, const config_setting_t *group, const struct kd_book_setting *st)
{
	char hint[400];

	for (unsigned int i = 0; i < book->nsettings; i++) {
		const struct kd_book_setting *b = &book->settings[i];

		if (strcmp(b->name, st->name) != 0 || !kd_scopes_meet(book, &b->scope, &st->scope))
			continue;
		snprintf(hint, sizeof(hint), "first at %s:%d", b->at.file, b->at.line);
		kd_schema_error(book, group, hint, "\"%s\" is set twice for the same days", st->name);
		return;
	}
}

static void setting(struct kd_book *book, const config_setting_t *group)
{
	bool varies = config_setting_get_member(group, "variants") != NULL, ranged;
	const struct kd_key keys[] = {{"set", KD_TYPE_STRING, true}, {"value", KD_TYPE_NUMBER, !varies},
		{"since", KD_TYPE_STRING, false}, {"until", KD_TYPE_STRING, false},
		{"where", KD_TYPE_GROUP, false}, {"variants", KD_TYPE_GROUPS, false},
		{"draw", KD_TYPE_STRING, false}, {"evidence", KD_TYPE_GROUP, false},
		{"pending", KD_TYPE_STRINGS, false}, {NULL, 0, false}};
	const char *draw = kd_schema_string(group, "draw");
	const struct kd_announced *row;
	struct kd_book_setting st = {0};
	struct kd_needs needs = {0};

	kd_schema_check(book, group, keys);
	if (varies && config_setting_get_member(group, "value") != NULL)
		kd_schema_error(book, config_setting_get_member(group, "value"), "each variant has its own",
			"\"value\" beside \"variants\"");
	which(book, group, &st, &row, &needs);
	kd_scope_read(book, group, &st.scope);
	st.at = kd_schema_at(book, group);
	ranged = values(book, group, row, &st);
	if (st.name != NULL)
		kd_pending_read(book, group, &needs, &st.pending, NULL);
	evidence_of(book, group, &st, ranged);
	if (st.nvalues == 0 || book->no_memory)
		return;
	st.draw = draw != NULL ? kd_schema_keep(book, draw)
			       : kd_arena_printf(book->arena, "setting:%s", st.name);
	twice(book, group, &st);
	book->settings = kd_arena_grow(book->arena, book->settings, book->nsettings, sizeof(st));
	if (book->settings == NULL || st.draw == NULL) {
		book->no_memory = true;
		book->nsettings = 0;
		return;
	}
	book->settings[book->nsettings++] = st;
}

void kd_settings_read(struct kd_book *book, const config_setting_t *root)
{
	kd_schema_each(book, root, "settings", setting);
}

static void put(struct kd_settings *s, unsigned int key, uint64_t value)
{
	memcpy((char *)s + kd_setting_rows[key].offset, &value, sizeof(value));
}

/* 0: nobody has set it. */
static uint64_t get(const struct kd_settings *s, unsigned int key)
{
	uint64_t value;

	memcpy(&value, (const char *)s + kd_setting_rows[key].offset, sizeof(value));
	return value;
}

/* The setting whose value this one has by default; -ENOENT: it has a default of its own. */
static int follows(unsigned int key)
{
	return find(kd_setting_rows[key].deflt, strlen(kd_setting_rows[key].deflt));
}

/* Nothing is done where nobody has set it. */
static bool is_off(unsigned int key)
{
	return strcmp(kd_setting_rows[key].deflt, "off") == 0;
}

/* A knob of the command line is put in force by compile.c; here it is only checked. */
static void check_knob(const struct kd_book *book, unsigned int knob, const char *value)
{
	const struct kd_knob_row *row = &kd_knob_rows[knob];
	char hint[200];

	if (kd_knob_value(knob, value, strlen(value)) >= 0)
		return;
	snprintf(hint, sizeof(hint), "expected %s", row->values);
	kd_diag(book->diags, KD_DIAG_ERROR, NULL, 0, "--set", hint, "%s: unknown value \"%.80s\"", row->name,
		value);
}

/* KEY=VALUE of the command line, into what it has said so far. */
static void override(const struct kd_book *book, const char *text, struct kd_settings *ret)
{
	size_t len = strcspn(text, "=");
	char typed[64], hint[500] = "known:", *near = NULL;
	struct kd_fault fault;
	struct kd_number n;
	int found;

	if (text[len] != '=') {
		kd_diag(book->diags, KD_DIAG_ERROR, NULL, 0, "--set", "expected KEY=VALUE",
			"\"%.80s\" sets nothing", text);
		return;
	}
	if (len == 4 && memcmp(text, "path", len) == 0) { /* which it is was asked before (kd_path_said) */
		kd_path_check(book, text + len + 1);
		return;
	}
	found = kd_knob_find(text, len);
	if (found >= 0) {
		check_knob(book, (unsigned int)found, text + len + 1);
		return;
	}
	found = find(text, len);
	if (found < 0) {
		snprintf(typed, sizeof(typed), "%.*s", (int)(len < 60 ? len : 60), text);
		near = kd_did_you_mean(typed, settable + 1);
		if (near != NULL) {
			snprintf(hint, sizeof(hint), "did you mean \"%s\"?", near);
		} else {
			for (int i = 0; i < KD_SETTING_COUNT; i++) {
				size_t at = strlen(hint);

				snprintf(hint + at, sizeof(hint) - at, "%s %s", i > 0 ? "," : "",
					kd_setting_rows[i].key);
			}
		}
		free(near);
		kd_diag(book->diags, KD_DIAG_ERROR, NULL, 0, "--set", hint, "unknown setting \"%s\"", typed);
		return;
	}
	if (value_of(&n, (unsigned int)found, text + len + 1, &fault) < 0) {
		kd_diag(book->diags, KD_DIAG_ERROR, NULL, 0, "--set",
			fault.hint[0] != '\0' ? fault.hint : NULL, "%s: %s", kd_setting_rows[found].key,
			fault.message);
		return;
	}
	put(ret, (unsigned int)found, n.value);
}

/* The first in force of each key: drawn dates of two that follow each other may overlap. */
static void in_force(const struct kd_book *book, const struct kd_query *query, struct kd_settings *ret)
{
	struct kd_sample sample = kd_sample_of(query);
	bool done[KD_SETTING_COUNT] = {false};

	for (unsigned int i = 0; i < book->nsettings; i++) {
		const struct kd_book_setting *st = &book->settings[i];
		const struct kd_book_number *n;

		if (st->key == KD_SETTING_ANNOUNCED || done[st->key] ||
			!kd_book_in_force(book, &st->scope, st->draw, query))
			continue;
		n = &st->values[st->nvalues > 1
					? kd_sample_variant(&sample, st->draw, st->weights, st->nvalues)
					: 0];
		put(ret, st->key, kd_sample_number(&sample, st->draw, n->key, &n->n));
		done[st->key] = true;
	}
}

void kd_settings_apply(const struct kd_book *book, const struct kd_query *query, const char *const *set,
	struct kd_settings *ret)
{
	struct kd_settings said = {0};
	struct kd_fault fault;
	struct kd_number n;

	memset(ret, 0, sizeof(*ret));
	for (unsigned int i = 0; i < KD_SETTING_COUNT; i++) {
		if (follows(i) >= 0 || is_off(i))
			continue;
		if (value_of(&n, i, kd_setting_rows[i].deflt, &fault) < 0)
			kd_diag(book->diags, KD_DIAG_ERROR, NULL, 0, kd_setting_rows[i].key, fault.hint,
				"its default is wrong: %s", fault.message);
		else
			put(ret, i, n.value);
	}
	in_force(book, query, ret);
	for (; set != NULL && *set != NULL; set++)
		override(book, *set, &said);
	/* The command line moves those that follow, too, whatever the book says of them. */
	for (unsigned int i = 0; i < KD_SETTING_COUNT; i++) {
		int other = follows(i);
		uint64_t value = get(&said, i);

		if (value == 0 && other >= 0)
			value = get(&said, (unsigned int)other);
		if (value == 0 && other >= 0 && get(ret, i) == 0)
			value = get(ret, (unsigned int)other);
		if (value != 0)
			put(ret, i, value);
	}
}

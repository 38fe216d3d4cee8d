/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads settings and resolves them. Every number is held against the kind its key has; none may be 0.
 */
#include "rulebook/setting.h"

#include "rulebook/claims.h"
#include "rulebook/schema.h"
#include "rulebook/units.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct kd_setting_row kd_setting_rows[KD_SETTING_COUNT] = {
#define X(symbol, key, kind, deflt, claim, help)                                                             \
	{key, KD_UNIT_##kind, deflt, claim, help, offsetof(struct kd_settings, symbol)},
	KD_SETTINGS(X)
#undef X
};

#define X(symbol, key, kind, deflt, claim, help) "|" key
static const char words[] = KD_SETTINGS(X);
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

static bool overlap(const struct kd_scope *a, const struct kd_scope *b)
{
	return a->since < b->until && b->since < a->until && (a->networks & b->networks) != 0;
}

static void setting(struct kd_book *book, const config_setting_t *group)
{
	static const struct kd_key keys[] = {{"set", KD_TYPE_STRING, true}, {"value", KD_TYPE_NUMBER, true},
		{"since", KD_TYPE_STRING, false}, {"until", KD_TYPE_STRING, false},
		{"where", KD_TYPE_GROUP, false}, {"evidence", KD_TYPE_GROUP, false}, {NULL, 0, false}};
	struct kd_number n = {.ranged = true};
	struct kd_book_setting st = {0};
	const config_setting_t *key, *value;
	struct kd_fault fault;
	char digits[32], hint[400];
	int found = -1;

	kd_schema_check(book, group, keys);
	key = kd_schema_get(group, "set", KD_TYPE_STRING);
	value = kd_schema_get(group, "value", KD_TYPE_NUMBER);
	if (key != NULL) {
		const char *word = config_setting_get_string(key);

		found = find(word, strlen(word));
		if (found < 0)
			kd_schema_unknown(book, key, "setting", word, words + 1);
	}
	kd_schema_scope(book, group, &st.scope);
	st.at = kd_schema_at(book, group);
	if (found >= 0 && value != NULL) {
		snprintf(digits, sizeof(digits), "%lld", config_setting_get_int64(value));
		st.key = (unsigned int)found;
		st.text = kd_schema_keep(book, config_setting_type(value) == CONFIG_TYPE_STRING
						       ? config_setting_get_string(value)
						       : digits);
		if (st.text == NULL)
			return;
		if (!kd_schema_cut(book, value) && value_of(&n, st.key, st.text, &fault) < 0)
			kd_schema_fault(book, value, &fault);
		st.value = n.value;
	}
	evidence_of(book, group, &st, n.ranged);
	for (unsigned int i = 0; i < book->nsettings && st.text != NULL; i++) {
		const struct kd_book_setting *b = &book->settings[i];

		if (b->key != st.key || !overlap(&b->scope, &st.scope))
			continue;
		snprintf(hint, sizeof(hint), "first at %s:%d", b->at.file, b->at.line);
		kd_schema_error(book, group, hint, "\"%s\" is set twice for the same days",
			kd_setting_rows[st.key].key);
		break;
	}
	if (st.text == NULL)
		return;
	book->settings = kd_arena_grow(book->arena, book->settings, book->nsettings, sizeof(st));
	if (book->settings == NULL) {
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

/* KEY=VALUE of the command line. */
static void override(const struct kd_book *book, const char *text, struct kd_settings *ret)
{
	size_t len = strcspn(text, "=");
	char typed[64], hint[400] = "known:", *near = NULL;
	struct kd_fault fault;
	struct kd_number n;
	int found;

	if (text[len] != '=') {
		kd_diag(book->diags, KD_DIAG_ERROR, NULL, 0, "--set", "expected KEY=VALUE",
			"\"%.80s\" sets nothing", text);
		return;
	}
	found = find(text, len);
	if (found < 0) {
		snprintf(typed, sizeof(typed), "%.*s", (int)(len < 60 ? len : 60), text);
		near = kd_did_you_mean(typed, words + 1);
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

void kd_settings_apply(const struct kd_book *book, const struct kd_query *query, const char *const *set,
	struct kd_settings *ret)
{
	struct kd_fault fault;
	struct kd_number n;

	memset(ret, 0, sizeof(*ret));
	for (unsigned int i = 0; i < KD_SETTING_COUNT; i++) {
		if (value_of(&n, i, kd_setting_rows[i].deflt, &fault) < 0)
			kd_diag(book->diags, KD_DIAG_ERROR, NULL, 0, kd_setting_rows[i].key, fault.hint,
				"its default is wrong: %s", fault.message);
		else
			put(ret, i, n.value);
	}
	for (unsigned int i = 0; i < book->nsettings; i++)
		if (kd_book_in_force(book, &book->settings[i].scope, query))
			put(ret, book->settings[i].key, book->settings[i].value);
	for (; set != NULL && *set != NULL; set++)
		override(book, *set, ret);
}

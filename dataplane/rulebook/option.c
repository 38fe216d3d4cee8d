/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One row of a mechanism's table against one setting of a rule. What an option means is the mechanism's
 * business.
 */
#include "rulebook/option.h"

#include "rulebook/units.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void append(struct kd_book *book, struct kd_book_rule *rule, const char *name, const char *value)
{
	rule->then =
		kd_arena_printf(book->arena, "%s %s=%s", rule->then != NULL ? rule->then : "", name, value);
	if (rule->then == NULL)
		book->no_memory = true;
}

bool kd_rule_number(struct kd_book *book, const config_setting_t *setting, unsigned int kind,
	struct kd_book_rule *rule, uint64_t *ret)
{
	const char *text = config_setting_get_string(setting);
	struct kd_fault fault;
	struct kd_number n;

	rule->numbers = true;
	if (kd_units_parse(&n, kind, text, strlen(text), &fault) < 0) {
		kd_schema_fault(book, setting, &fault);
		rule->unranged = false; /* said once is enough */
		return false;
	}
	if (!n.ranged)
		rule->unranged = true;
	*ret = n.value;
	return true;
}

/* The text of a setting, an integer's digits included. */
static const char *text_of(const config_setting_t *s, char *buf, size_t room)
{
	switch (config_setting_type(s)) {
	case CONFIG_TYPE_STRING:
		return config_setting_get_string(s);
	case CONFIG_TYPE_INT:
		snprintf(buf, room, "%d", config_setting_get_int(s));
		return buf;
	case CONFIG_TYPE_INT64:
		snprintf(buf, room, "%lld", config_setting_get_int64(s));
		return buf;
	case CONFIG_TYPE_BOOL:
		return config_setting_get_bool(s) ? "true" : "false";
	default:
		snprintf(buf, room, "%g", config_setting_get_float(s));
		return buf;
	}
}

static int word_index(const char *words, const char *word)
{
	size_t len = strlen(word), n;
	int index = 0;

	for (const char *w = words; *w != '\0'; w += n + (w[n] == '|'), index++) {
		n = strcspn(w, "|");
		if (n == len && memcmp(w, word, n) == 0)
			return index;
	}
	return -1;
}

static void bounds(struct kd_book *book, const config_setting_t *at, const struct kd_option *o,
	unsigned int kind, const char *text)
{
	char lo[KD_UNITS_TEXT], hi[KD_UNITS_TEXT], hint[2 * KD_UNITS_TEXT + 32];

	kd_units_text(lo, kind, o->min);
	kd_units_text(hi, kind, o->max);
	snprintf(hint, sizeof(hint), "expected %s to %s", lo, hi);
	kd_schema_error(book, at, hint, "\"%.80s\" is out of range", text);
}

static void store(struct kd_book_rule *rule, const struct kd_option *o, uint64_t value)
{
	uint8_t byte = (uint8_t)value;
	uint32_t count = (uint32_t)value;

	if (o->kind == KD_OPTION_WORD)
		memcpy(rule->params + o->offset, &byte, sizeof(byte));
	else if (o->kind == KD_OPTION_COUNT)
		memcpy(rule->params + o->offset, &count, sizeof(count));
	else
		memcpy(rule->params + o->offset, &value, sizeof(value));
}

/* Reads one option; `at` is the place to blame, `given` whether the rule itself says it. */
static void option(struct kd_book *book, const config_setting_t *at, bool given, const struct kd_option *o,
	const char *text, struct kd_book_rule *rule)
{
	unsigned int kind = o->kind == KD_OPTION_COUNT ? KD_UNIT_COUNT : KD_UNIT_DURATION;
	struct kd_fault fault;
	struct kd_number n;
	int word;

	if (o->kind == KD_OPTION_WORD) {
		word = word_index(o->words, text);
		if (word < 0) {
			kd_schema_unknown(book, at, o->name, text, o->words);
			return;
		}
		store(rule, o, (uint64_t)word);
		append(book, rule, o->name, text);
		return;
	}
	if (kd_units_parse(&n, kind, text, strlen(text), &fault) < 0) {
		kd_schema_fault(book, at, &fault);
		return;
	}
	if (o->max != 0 && (n.lo < o->min || n.hi > o->max)) {
		bounds(book, at, o, kind, text);
		return;
	}
	if (given) {
		rule->numbers = true;
		if (!n.ranged)
			rule->unranged = true;
	}
	store(rule, o, n.value);
	append(book, rule, o->name, text);
}

void kd_options_read(struct kd_book *book, const config_setting_t *then, const struct kd_mechanism *mechanism,
	struct kd_book_rule *rule)
{
	struct kd_key keys[KD_KEYS_MAX] = {{"mechanism", KD_TYPE_STRING, true}};
	unsigned int n = 1;
	char buf[32];

	for (const struct kd_option *o = mechanism->options;
		o != NULL && o->name != NULL && n + 1 < KD_KEYS_MAX; o++) {
		uint8_t type = o->kind == KD_OPTION_COUNT ? KD_TYPE_NUMBER : KD_TYPE_STRING;

		keys[n++] = (struct kd_key){o->name, type, o->deflt == NULL};
	}
	kd_schema_check(book, then, keys);
	n = 1;
	for (const struct kd_option *o = mechanism->options; o != NULL && o->name != NULL; o++, n++) {
		const config_setting_t *s = kd_schema_get(then, o->name, keys[n].type);

		if (s != NULL && kd_schema_cut(book, s))
			continue;
		if (s != NULL)
			option(book, s, true, o, text_of(s, buf, sizeof(buf)), rule);
		else if (o->deflt != NULL && config_setting_get_member(then, o->name) == NULL)
			option(book, then, false, o, o->deflt, rule);
	}
}

/* The settings of mechanisms to come. A number has its unit from the start; the rest are words. */
static const struct announced {
	const char *mechanism, *option;
	uint8_t kind;	   /* enum kd_unit_kind, or KD_UNIT_KINDS: one of words */
	const char *words; /* NULL = a number */
} announced[] = {
	{"police", "rate", KD_UNIT_RATE, NULL},
	{"police", "burst", KD_UNIT_BYTES, NULL},
	{"police", "direction", KD_UNIT_KINDS, "both|to-inside|to-outside"},
};

bool kd_mechanism_announced(const char *name)
{
	return word_index(KD_ANNOUNCED_WORDS, name) >= 0;
}

void kd_options_announced(struct kd_book *book, const config_setting_t *then, struct kd_book_rule *rule)
{
	struct kd_key keys[KD_KEYS_MAX] = {{"mechanism", KD_TYPE_STRING, true}};
	unsigned int n = 1;
	uint64_t value;

	for (unsigned int i = 0; i < sizeof(announced) / sizeof(announced[0]); i++)
		if (strcmp(announced[i].mechanism, rule->mechanism) == 0)
			keys[n++] = (struct kd_key){announced[i].option, KD_TYPE_STRING, false};
	kd_schema_check(book, then, keys);
	for (unsigned int i = 0; i < sizeof(announced) / sizeof(announced[0]); i++) {
		const struct announced *a = &announced[i];
		const config_setting_t *s = kd_schema_get(then, a->option, KD_TYPE_STRING);

		if (strcmp(a->mechanism, rule->mechanism) != 0 || s == NULL)
			continue;
		if (a->words != NULL ? kd_schema_word(book, s, a->option, a->words) >= 0
				     : kd_rule_number(book, s, a->kind, rule, &value))
			append(book, rule, a->option, config_setting_get_string(s));
	}
}

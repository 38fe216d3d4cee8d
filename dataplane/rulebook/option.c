/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One row of a mechanism's table against one setting of a rule. What an option means is the mechanism's
 * business. A number that the rule states itself may be drawn anew for a sampled box, so it is kept with the
 * place it has in the block.
 */
#include "rulebook/option.h"

#include "rulebook/rule.h"
#include "rulebook/units.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

/* What `then` may say beside the options of its mechanism; "allow" is there to be refused with a reason. */
static const struct kd_key general[] = {{"after", KD_TYPE_GROUP, false}, {"share", KD_TYPE_STRING, false},
	{"delay_before", KD_TYPE_STRING, false}, {"scope", KD_TYPE_STRING, false},
	{"allow", KD_TYPE_STRINGS, false}};

#define GENERAL (sizeof(general) / sizeof(general[0]))
#define OPTIONS_MAX (KD_KEYS_MAX - GENERAL - 2)

void kd_option_append(struct kd_book *book, struct kd_book_rule *rule, const char *name, const char *value)
{
	rule->then =
		kd_arena_printf(book->arena, "%s %s=%s", rule->then != NULL ? rule->then : "", name, value);
	if (rule->then == NULL)
		book->no_memory = true;
}

/* Puts the general keys behind keys[0..n), but for those that an option has the name of. */
static void add_general(struct kd_key keys[KD_KEYS_MAX], unsigned int n)
{
	for (unsigned int i = 0; i < GENERAL; i++) {
		unsigned int k = 0;

		while (k < n && strcmp(keys[k].name, general[i].name) != 0)
			k++;
		if (k == n)
			keys[n++] = general[i];
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

static unsigned int unit_of(const struct kd_option *o)
{
	static const uint8_t units[] = {[KD_OPTION_COUNT] = KD_UNIT_COUNT,
		[KD_OPTION_DURATION] = KD_UNIT_DURATION,
		[KD_OPTION_RATE] = KD_UNIT_RATE,
		[KD_OPTION_BYTES] = KD_UNIT_BYTES,
		[KD_OPTION_SHARE] = KD_UNIT_SHARE};

	return units[o->kind];
}

static uint8_t size_of(const struct kd_option *o)
{
	switch (o->kind) {
	case KD_OPTION_WORD:
		return sizeof(uint8_t);
	case KD_OPTION_TEXT:
		return sizeof(uint16_t);
	default:
		return o->kind == KD_OPTION_COUNT ? sizeof(uint32_t) : sizeof(uint64_t);
	}
}

static void store(struct kd_book_rule *rule, const struct kd_option *o, uint64_t value)
{
	uint8_t byte = (uint8_t)value;
	uint16_t index = (uint16_t)value;
	uint32_t count = (uint32_t)value;

	if (o->kind == KD_OPTION_TEXT)
		memcpy(rule->params + o->offset, &index, sizeof(index));
	else if (o->kind == KD_OPTION_WORD)
		memcpy(rule->params + o->offset, &byte, sizeof(byte));
	else if (o->kind == KD_OPTION_COUNT)
		memcpy(rule->params + o->offset, &count, sizeof(count));
	else
		memcpy(rule->params + o->offset, &value, sizeof(value));
}

/* Its number among the book's texts, from 1; 0 = an empty one, or none, which was said. */
static uint16_t text_index(struct kd_book *book, const config_setting_t *at, const char *text)
{
	size_t len = strlen(text);

	for (unsigned int i = 0; i < book->ntexts; i++)
		if (strcmp(book->texts[i], text) == 0)
			return (uint16_t)(i + 1);
	if (len == 0)
		return 0;
	if (len > UINT16_MAX || book->ntexts == UINT16_MAX) {
		kd_schema_error(book, at, "expected at most 65535 bytes, and as many texts in a rulebook",
			"too much text");
		return 0;
	}
	text = kd_schema_keep(book, text);
	book->texts = kd_arena_grow(book->arena, book->texts, book->ntexts, sizeof(*book->texts));
	if (book->texts == NULL || text == NULL) {
		book->no_memory = true;
		book->ntexts = 0;
		return 0;
	}
	book->texts[book->ntexts++] = text;
	return (uint16_t)book->ntexts;
}

static bool has_room(
	struct kd_book *book, const config_setting_t *at, const struct kd_option *o, const char *text)
{
	size_t len = strlen(text);
	char hint[80];

	if (o->max == 0 || (len >= o->min && len <= o->max))
		return true;
	snprintf(hint, sizeof(hint), "expected %u to %u bytes: it has to go into one packet",
		(unsigned int)o->min, (unsigned int)o->max);
	kd_schema_error(book, at, hint, "a text of %zu bytes", len);
	return false;
}

static bool in_bounds(struct kd_book *book, const config_setting_t *at, const struct kd_option *o,
	const struct kd_number *n, const char *text)
{
	char lo[KD_UNITS_TEXT], hi[KD_UNITS_TEXT], hint[2 * KD_UNITS_TEXT + 32];

	if (o->max == 0 || (n->lo >= o->min && n->hi <= o->max))
		return true;
	kd_units_text(lo, unit_of(o), o->min);
	kd_units_text(hi, unit_of(o), o->max);
	snprintf(hint, sizeof(hint), "expected %s to %s", lo, hi);
	kd_schema_error(book, at, hint, "\"%.80s\" is out of range", text);
	return false;
}

static bool address(struct kd_book *book, const config_setting_t *at, const char *text, uint8_t ret[16])
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	uint8_t v4[4], v6[16];

	if (inet_pton(AF_INET6, text, v6) == 1) {
		memcpy(ret, v6, sizeof(v6));
		return true;
	}
	if (inet_pton(AF_INET, text, v4) == 1) {
		memcpy(ret, mapped, sizeof(mapped));
		memcpy(ret + sizeof(mapped), v4, sizeof(v4));
		return true;
	}
	kd_schema_error(book, at, "expected an IPv4 or IPv6 address", "\"%.80s\" is not an address", text);
	return false;
}

static void stated(
	struct kd_book *book, const config_setting_t *s, const struct kd_option *o, struct kd_book_rule *rule)
{
	struct kd_book_number number;
	char key[64];
	int word;

	if (o->kind == KD_OPTION_WORD) {
		word = kd_schema_word(book, s, o->name, o->words);
		if (word < 0)
			return;
		store(rule, o, (uint64_t)word);
		kd_option_append(book, rule, o->name, config_setting_get_string(s));
		return;
	}
	if (o->kind == KD_OPTION_ADDRESS) {
		if (address(book, s, config_setting_get_string(s), rule->params + o->offset))
			kd_option_append(book, rule, o->name, config_setting_get_string(s));
		return;
	}
	if (o->kind == KD_OPTION_TEXT) {
		if (!has_room(book, s, o, config_setting_get_string(s)))
			return;
		store(rule, o, text_index(book, s, config_setting_get_string(s)));
		kd_option_append(book, rule, o->name, config_setting_get_string(s));
		return;
	}
	snprintf(key, sizeof(key), "then.%s", o->name);
	if (!kd_rule_number(book, s, key, unit_of(o), rule, &number) ||
		!in_bounds(book, s, o, &number.n, number.text))
		return;
	rule->numbers[rule->nnumbers - 1].size = size_of(o);
	rule->numbers[rule->nnumbers - 1].offset = o->offset;
	store(rule, o, number.n.value);
	kd_option_append(book, rule, o->name, number.text);
}

static void by_default(struct kd_book *book, const config_setting_t *at, const struct kd_option *o,
	struct kd_book_rule *rule)
{
	struct kd_fault fault;
	struct kd_number n;
	int word;

	if (o->kind == KD_OPTION_WORD) {
		word = word_index(o->words, o->deflt);
		if (word < 0) {
			kd_schema_unknown(book, at, o->name, o->deflt, o->words);
			return;
		}
		store(rule, o, (uint64_t)word);
	} else if (o->kind == KD_OPTION_ADDRESS) {
		return; /* none */
	} else if (o->kind == KD_OPTION_TEXT) {
		store(rule, o, text_index(book, at, o->deflt));
		if (o->deflt[0] == '\0')
			return; /* none */
	} else {
		if (kd_units_parse(&n, unit_of(o), o->deflt, strlen(o->deflt), &fault) < 0) {
			kd_schema_fault(book, at, &fault);
			return;
		}
		if (!in_bounds(book, at, o, &n, o->deflt))
			return;
		store(rule, o, n.value);
	}
	kd_option_append(book, rule, o->name, o->deflt);
}

void kd_options_read(struct kd_book *book, const config_setting_t *then, const struct kd_mechanism *mechanism,
	struct kd_book_rule *rule)
{
	struct kd_key keys[KD_KEYS_MAX] = {{"mechanism", KD_TYPE_STRING, true}};
	unsigned int errors = book->diags->errors;
	const char *message = NULL, *hint = NULL;
	unsigned int n = 1;

	for (const struct kd_option *o = mechanism->options; o != NULL && o->name != NULL && n < OPTIONS_MAX;
		o++) {
		uint8_t type = o->kind == KD_OPTION_COUNT ? KD_TYPE_NUMBER : KD_TYPE_STRING;

		keys[n++] = (struct kd_key){o->name, type, o->deflt == NULL};
	}
	add_general(keys, n);
	kd_schema_check(book, then, keys);
	n = 1;
	for (const struct kd_option *o = mechanism->options; o != NULL && o->name != NULL && n < OPTIONS_MAX;
		o++, n++) {
		const config_setting_t *s = kd_schema_get(then, o->name, keys[n].type);

		if (s != NULL)
			stated(book, s, o, rule);
		else if (o->deflt != NULL && config_setting_get_member(then, o->name) == NULL)
			by_default(book, then, o, rule);
	}
	if (book->diags->errors == errors && mechanism->is_wrong != NULL &&
		mechanism->is_wrong(rule->params, book->texts, &message, &hint))
		kd_schema_error(book, then, hint, "%s", message);
}

void kd_options_default(struct kd_book *book, const config_setting_t *at,
	const struct kd_mechanism *mechanism, struct kd_book_rule *rule)
{
	for (const struct kd_option *o = mechanism->options; o != NULL && o->name != NULL; o++)
		if (o->deflt != NULL)
			by_default(book, at, o, rule);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads rules: dates and places, the match, the mechanism and its settings, the residual, the evidence each
 * part needs. Which rules a query picks and what they compile to is decided in compile.c.
 */
#include "rulebook/claims.h"
#include "rulebook/option.h"
#include "rulebook/schema.h"
#include "rulebook/term.h"
#include "rulebook/units.h"

#include "engine/protocol.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PHASE_WORDS "addresses|observe|names-allowed|names-blocked|protocol|fallback"

static bool names_it(const struct kd_protocol *p, const char *key)
{
	return p->has_name && strcmp(p->fields[0].name, key) == 0;
}

static void protocol_words(char *buf, size_t room)
{
	size_t len = 0;

	buf[0] = '\0';
	for (int i = 0; i < KD_PROTOCOL_COUNT && len < room; i++)
		len += (size_t)snprintf(
			buf + len, room - len, "%s%s", i > 0 ? "|" : "", kd_protocols[i]->name);
}

static void protocols(struct kd_book *book, const config_setting_t *list, struct kd_book_rule *rule)
{
	char words[1024];
	int found;

	protocol_words(words, sizeof(words));
	for (unsigned int i = 0; i < kd_schema_count(list); i++) {
		const config_setting_t *e = kd_schema_element(list, i);
		const char *name = config_setting_get_string(e);

		found = kd_protocol_find(name);
		if (found >= 0)
			rule->protocols |= 1ull << found;
		else
			kd_schema_unknown(book, e, "protocol", name, words);
	}
}

static void name_term(
	struct kd_book *book, const config_setting_t *term, bool protocol_given, struct kd_book_rule *rule)
{
	const char *key = config_setting_name(term);
	uint64_t naming = 0;

	if (rule->name_key != NULL) {
		kd_schema_error(book, term, "write a rule for each",
			"\"%s\" beside \"%s\": a rule has one name term", key, rule->name_key);
		return;
	}
	rule->name_key = kd_schema_keep(book, key);
	kd_term_read(book, term, &rule->names);
	for (int i = 0; i < KD_PROTOCOL_COUNT; i++)
		if (names_it(kd_protocols[i], key))
			naming |= 1ull << i;
	if (!protocol_given)
		rule->protocols = naming;
	for (int i = 0; i < KD_PROTOCOL_COUNT; i++)
		if ((rule->protocols & ~naming) >> i & 1)
			kd_schema_error(book, term, NULL, "protocol \"%s\" has no \"%s\"",
				kd_protocols[i]->name, key);
}

static void signature_term(struct kd_book *book, const config_setting_t *term, struct kd_book_rule *rule)
{
	const char *id = config_setting_get_string(term);
	char words[2048] = "";
	size_t len = 0;

	for (unsigned int i = 0; i < book->nsignatures; i++)
		if (strcmp(book->signatures[i].id, id) == 0)
			rule->signature = (uint16_t)(i + 1);
	if (rule->signature != 0)
		return;
	for (unsigned int i = 0; i < book->nsignatures && len < sizeof(words); i++)
		len += (size_t)snprintf(
			words + len, sizeof(words) - len, "%s%s", i > 0 ? "|" : "", book->signatures[i].id);
	kd_schema_unknown(book, term, "signature", id, words);
}

static void when_of(struct kd_book *book, const config_setting_t *when, struct kd_book_rule *rule)
{
	struct kd_key keys[KD_KEYS_MAX] = {{"protocol", KD_TYPE_STRINGS, false},
		{"opened_from", KD_TYPE_STRING, false}, {"from", KD_TYPE_STRING, false},
		{"signature", KD_TYPE_STRING, false}};
	const config_setting_t *s;
	unsigned int n = 4, known;
	bool protocol_given = config_setting_get_member(when, "protocol") != NULL;

	for (int i = 0; i < KD_PROTOCOL_COUNT && n + 1 < KD_KEYS_MAX; i++) {
		if (!kd_protocols[i]->has_name)
			continue;
		for (known = 4; known < n; known++)
			if (strcmp(keys[known].name, kd_protocols[i]->fields[0].name) == 0)
				break;
		if (known == n)
			keys[n++] = (struct kd_key){kd_protocols[i]->fields[0].name, KD_TYPE_STRINGS, false};
	}
	kd_schema_check(book, when, keys);
	s = kd_schema_get(when, "protocol", KD_TYPE_STRINGS);
	if (s != NULL)
		protocols(book, s, rule);
	s = kd_schema_get(when, "opened_from", KD_TYPE_STRING);
	if (s != NULL && kd_schema_word(book, s, "side", "inside|any") == 0)
		rule->opened_from = KD_INSIDE;
	s = kd_schema_get(when, "from", KD_TYPE_STRING);
	if (s != NULL) {
		int side = kd_schema_word(book, s, "side", "inside|outside|any");

		rule->from = side >= 0 ? (uint8_t)side : KD_ANY_SIDE; /* in the order of enum kd_side */
	}
	s = kd_schema_get(when, "signature", KD_TYPE_STRING);
	if (s != NULL)
		signature_term(book, s, rule);
	for (unsigned int i = 4; i < n; i++) {
		s = kd_schema_get(when, keys[i].name, KD_TYPE_STRINGS);
		if (s != NULL)
			name_term(book, s, protocol_given, rule);
	}
}

static void mechanism_words(char *buf, size_t room)
{
	size_t len = 0;

	buf[0] = '\0';
	for (int i = 0; i < KD_MECHANISM_COUNT && len < room; i++)
		len += (size_t)snprintf(
			buf + len, room - len, "%s%s", i > 0 ? "|" : "", kd_mechanisms[i]->name);
}

static void pending_of(struct kd_book *book, const config_setting_t *s, struct kd_book_rule *rule)
{
	const char *text = config_setting_get_string(s), *name = text + strlen("mechanism:");

	if (strncmp(text, "mechanism:", strlen("mechanism:")) != 0 || *name == '\0') {
		kd_schema_error(book, s, "expected mechanism:NAME", "\"%.80s\" cannot be waited for", text);
		return;
	}
	rule->pending = kd_schema_keep(book, text);
	if (kd_mechanism_find(name) >= 0)
		kd_schema_error(
			book, s, "take the line out", "pending on mechanism \"%.80s\", which exists", name);
	else if (!kd_mechanism_announced(name))
		kd_schema_unknown(book, s, "mechanism to wait for", name, KD_ANNOUNCED_WORDS);
	else if (rule->mechanism != NULL && strcmp(rule->mechanism, name) != 0)
		kd_schema_error(book, s, NULL, "pending on \"%.80s\", but the rule's mechanism is \"%.80s\"",
			name, rule->mechanism);
}

static void then_of(struct kd_book *book, const config_setting_t *then, const config_setting_t *pending,
	struct kd_book_rule *rule)
{
	const config_setting_t *s = kd_schema_get(then, "mechanism", KD_TYPE_STRING);
	char words[1024];

	if (s != NULL)
		rule->mechanism = kd_schema_keep(book, config_setting_get_string(s));
	else if (config_setting_get_member(then, "mechanism") == NULL)
		kd_schema_error(book, then, NULL, "\"mechanism\" is missing");
	else
		kd_schema_error(book, config_setting_get_member(then, "mechanism"), NULL,
			"expected a string in quotes");
	if (pending != NULL)
		pending_of(book, pending, rule);
	if (rule->mechanism == NULL)
		return;
	rule->mechanism_index = kd_mechanism_find(rule->mechanism);
	if (rule->mechanism_index >= 0) {
		kd_options_read(book, then, kd_mechanisms[rule->mechanism_index], rule);
		return;
	}
	if (kd_mechanism_announced(rule->mechanism))
		kd_options_announced(book, then, rule);
	mechanism_words(words, sizeof(words));
	if (pending == NULL)
		kd_schema_unknown(book, s, "mechanism", rule->mechanism, words);
}

static void residual_of(struct kd_book *book, const config_setting_t *residual, struct kd_book_rule *rule)
{
	static const struct kd_key keys[] = {
		{"key", KD_TYPE_STRING, true}, {"time", KD_TYPE_STRING, true}, {NULL, 0, false}};
	const config_setting_t *s;

	kd_schema_check(book, residual, keys);
	s = kd_schema_get(residual, "key", KD_TYPE_STRING);
	if (s != NULL)
		kd_schema_word(book, s, "residual key", "4-tuple");
	s = kd_schema_get(residual, "time", KD_TYPE_STRING);
	if (s == NULL || !kd_rule_number(book, s, KD_UNIT_DURATION, rule, &rule->residual_ns))
		return;
	rule->residual_text = kd_schema_keep(book, config_setting_get_string(s));
	if (rule->residual_ns == 0)
		kd_schema_error(book, s,
			"leave the residual out: the rule then holds for the life of the flow",
			"a residual of no time");
}

static void evidence_of(struct kd_book *book, const config_setting_t *group, struct kd_book_rule *rule)
{
	struct kd_evidence *ev = &rule->evidence;

	kd_evidence_read(book, group, ev);
	if (book->own != NULL)
		return;
	if (rule->pending == NULL) {
		if (ev->grade[KD_PART_MATCH] == KD_GRADE_COUNT)
			kd_schema_error(book, group,
				"expected evidence = { match = [ ... ]; then = [ ... ]; }",
				"an enforcing rule without evidence for \"match\"");
		if (!ev->real[KD_PART_THEN])
			kd_schema_error(book, group,
				"kordon builds nothing that no claim says a real box did",
				"an enforcing rule without a claim for \"then\"");
	}
	if (rule->numbers && ev->grade[KD_PART_NUMBERS] == KD_GRADE_COUNT)
		kd_schema_error(book, group,
			"expected evidence = { numbers = [ ... ]; }, with claims or \"assumed\"",
			"a box number without a claim");
	if (rule->unranged && ev->grade[KD_PART_NUMBERS] == KD_GRADE_ASSUMED)
		kd_schema_error(
			book, group, "expected \"VALUE UNIT (LO..HI)\"", "an assumed number without a range");
}

static void double_id(struct kd_book *book, const config_setting_t *at, const char *id)
{
	char hint[400];

	for (unsigned int i = 0; i < book->nrules; i++) {
		if (strcmp(book->rules[i].id, id) != 0)
			continue;
		snprintf(
			hint, sizeof(hint), "first at %s:%d", book->rules[i].at.file, book->rules[i].at.line);
		kd_schema_error(book, at, hint, "double id: rule \"%.80s\"", id);
		return;
	}
}

static void rule_keep(struct kd_book *book, const struct kd_book_rule *rule)
{
	book->rules = kd_arena_grow(book->arena, book->rules, book->nrules, sizeof(*rule));
	if (book->rules == NULL) {
		book->no_memory = true;
		book->nrules = 0;
		return;
	}
	book->rules[book->nrules++] = *rule;
}

static void rule(struct kd_book *book, const config_setting_t *group)
{
	const struct kd_key keys[] = {{"id", KD_TYPE_STRING, true}, {"phase", KD_TYPE_STRING, true},
		{"since", KD_TYPE_STRING, book->own == NULL}, {"until", KD_TYPE_STRING, false},
		{"where", KD_TYPE_GROUP, false}, {"when", KD_TYPE_GROUP, true}, {"then", KD_TYPE_GROUP, true},
		{"residual", KD_TYPE_GROUP, false}, {"miss", KD_TYPE_STRING, false},
		{"evidence", KD_TYPE_GROUP, false}, {"pending", KD_TYPE_STRING, false}, {NULL, 0, false}};
	struct kd_book_rule r = {.opened_from = KD_ANY_SIDE, .from = KD_ANY_SIDE, .mechanism_index = -1};
	const char *id = kd_schema_string(group, "id");
	unsigned int errors = book->diags->errors;
	const config_setting_t *s;
	int phase;

	kd_schema_check(book, group, keys);
	r.at = kd_schema_at(book, group);
	r.id = kd_schema_keep(book, id != NULL ? id : "");
	if (id != NULL)
		double_id(book, kd_schema_get(group, "id", KD_TYPE_STRING), id);
	s = kd_schema_get(group, "phase", KD_TYPE_STRING);
	phase = s != NULL ? kd_schema_word(book, s, "phase", PHASE_WORDS) : -1;
	r.phase = phase >= 0 ? (uint8_t)phase : KD_PHASE_COUNT;
	kd_schema_scope(book, group, &r.scope);
	s = kd_schema_get(group, "when", KD_TYPE_GROUP);
	if (s != NULL)
		when_of(book, s, &r);
	s = kd_schema_get(group, "then", KD_TYPE_GROUP);
	if (s != NULL)
		then_of(book, s, kd_schema_get(group, "pending", KD_TYPE_STRING), &r);
	s = kd_schema_get(group, "residual", KD_TYPE_GROUP);
	if (s != NULL)
		residual_of(book, s, &r);
	s = kd_schema_get(group, "miss", KD_TYPE_STRING);
	if (s != NULL && kd_rule_number(book, s, KD_UNIT_SHARE, &r, &r.miss))
		r.miss_text = kd_schema_keep(book, config_setting_get_string(s));
	evidence_of(book, group, &r);
	r.broken = book->diags->errors > errors;
	if (r.id != NULL && r.at.file != NULL)
		rule_keep(book, &r);
}

void kd_rules_read(struct kd_book *book, const config_setting_t *root)
{
	kd_schema_each(book, root, "rules", rule);
}

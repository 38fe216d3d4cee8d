/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads rules: where they stand, what they are called, the evidence each part needs. Their parts are read in
 * files of their own; which rules a query picks and what they compile to is decided in compile.c.
 */
#include "rulebook/rule.h"

#include "rulebook/claims.h"
#include "rulebook/place.h"

#include <stdio.h>
#include <string.h>

#define PHASE_WORDS "addresses|observe|names-allowed|names-blocked|protocol|fallback"

/* What evidence has to speak for. UNSAID: there is no `then`, which was said. */
enum deed { OBSERVES, ALLOWS, WAITS, UNSAID, ENFORCES };

static enum deed deed_of(const struct kd_book_rule *r)
{
	if (r->closes != 0)
		return ALLOWS;
	/* In observe only a residual lets the mechanism act. */
	if (r->phase == KD_PHASE_OBSERVE && (r->mechanism == NULL || !r->residual.given))
		return OBSERVES;
	if (r->needs.inert)
		return WAITS;
	return r->mechanism != NULL ? ENFORCES : UNSAID;
}

/* The deed of the rule, or of the variant that does most. */
static enum deed deed(const struct kd_book_rule *r)
{
	enum deed most;

	if (r->nvariants == 0)
		return deed_of(r);
	most = deed_of(&r->variants[0]);
	for (unsigned int i = 1; i < r->nvariants; i++)
		if (deed_of(&r->variants[i]) > most)
			most = deed_of(&r->variants[i]);
	return most;
}

/* An assumption is a range. With claims beside it, it is about one of the numbers at least; which, nobody
 * says. */
static bool lacks_range(const struct kd_book_rule *rule)
{
	if (rule->evidence.grade[KD_PART_NUMBERS] != KD_GRADE_ASSUMED)
		return false;
	if (!rule->evidence.real[KD_PART_NUMBERS])
		return rule->unranged;
	return rule->numbers_given && !rule->ranged;
}

static void evidence_of(struct kd_book *book, const config_setting_t *group, struct kd_book_rule *rule)
{
	static const char *const words[] = {[OBSERVES] = "an observing rule",
		[ALLOWS] = "an allowing rule",
		[WAITS] = "a waiting rule",
		[UNSAID] = "a rule",
		[ENFORCES] = "an enforcing rule"};
	struct kd_evidence *ev = &rule->evidence;
	enum deed does = deed(rule);

	kd_evidence_read(book, group, ev);
	for (unsigned int i = 0; i < rule->nvariants; i++)
		rule->variants[i].evidence = *ev;
	if (book->own != NULL)
		return;
	if (does != WAITS && ev->grade[KD_PART_MATCH] == KD_GRADE_COUNT)
		kd_schema_error(book, group,
			does >= UNSAID ? "expected evidence = { match = [ ... ]; then = [ ... ]; }"
				       : "expected evidence = { match = [ ... ]; }",
			"%s without evidence for \"match\"", words[does]);
	if (does == ENFORCES && !ev->real[KD_PART_THEN])
		kd_schema_error(book, group, "kordon builds nothing that no claim says a real box did",
			"an enforcing rule without a claim for \"then\"");
	if (rule->numbers_given && ev->grade[KD_PART_NUMBERS] == KD_GRADE_COUNT)
		kd_schema_error(book, group,
			"expected evidence = { numbers = [ ... ]; }, with claims or \"assumed\"",
			"a box number without a claim");
	if (lacks_range(rule))
		kd_schema_error(book, group,
			ev->real[KD_PART_NUMBERS]
				? "expected \"VALUE UNIT (LO..HI)\" of the number that is assumed"
				: "expected \"VALUE UNIT (LO..HI)\"",
			"an assumed number without a range");
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

/* A phase and a match, or that it takes whatever is left. */
static void phase_of(struct kd_book *book, const config_setting_t *group, struct kd_book_rule *r)
{
	const config_setting_t *s = kd_schema_get(group, "phase", KD_TYPE_STRING),
			       *deny = config_setting_get_member(group, "default"), *beside;
	int phase;

	r->phase = KD_PHASE_COUNT;
	if (deny == NULL) {
		phase = s != NULL ? kd_schema_word(book, s, "phase", PHASE_WORDS) : -1;
		if (phase >= 0)
			r->phase = (uint8_t)phase;
		else if (config_setting_get_member(group, "phase") == NULL)
			kd_schema_error(book, group, NULL, "\"phase\" is missing");
		return;
	}
	r->phase = KD_PHASE_DEFAULT;
	r->deny = true;
	deny = kd_schema_get(group, "default", KD_TYPE_STRING);
	if (deny != NULL)
		kd_schema_word(book, deny, "default", "deny");
	beside = config_setting_get_member(group, "phase");
	if (beside != NULL)
		kd_schema_error(book, beside, "it stands behind all phases: leave the line out",
			"\"phase\" beside \"default\"");
	beside = config_setting_get_member(group, "when");
	if (beside != NULL)
		kd_schema_error(book, beside, "it takes every flow that nothing let through",
			"\"when\" beside \"default\"");
}

/* Who it is: id, title, draws, and the rule that stands in for it. */
static void head_of(struct kd_book *book, const config_setting_t *group, struct kd_book_rule *r)
{
	const char *id = kd_schema_string(group, "id"), *title = kd_schema_string(group, "title"),
		   *draw = kd_schema_string(group, "draw");
	const config_setting_t *other = kd_schema_get(group, "else", KD_TYPE_STRING);

	r->at = kd_schema_at(book, group);
	r->id = kd_schema_keep(book, id != NULL ? id : "");
	if (id != NULL)
		double_id(book, kd_schema_get(group, "id", KD_TYPE_STRING), id);
	if (title != NULL) {
		r->title = kd_schema_keep(book, title);
		if (strchr(title, '\n') != NULL)
			kd_schema_error(book, kd_schema_get(group, "title", KD_TYPE_STRING), NULL,
				"a title is one line");
	}
	r->draw = draw != NULL ? kd_schema_keep(book, draw)
			       : kd_arena_printf(book->arena, "rule:%s", id != NULL ? id : "");
	if (r->draw == NULL)
		book->no_memory = true;
	if (other != NULL) {
		r->other = kd_schema_keep(book, config_setting_get_string(other));
		r->other_at = kd_schema_at(book, other);
	}
}

static void rule(struct kd_book *book, const config_setting_t *group)
{
	const struct kd_key keys[] = {{"id", KD_TYPE_STRING, true}, {"title", KD_TYPE_STRING, false},
		{"phase", KD_TYPE_STRING, false}, {"since", KD_TYPE_STRING, book->own == NULL},
		{"until", KD_TYPE_STRING, false}, {"where", KD_TYPE_GROUP, false},
		{"share", KD_TYPE_STRING, false}, {"flap", KD_TYPE_STRING, false},
		{"when", KD_TYPE_GROUP, false}, {"then", KD_TYPE_GROUP, false},
		{"residual", KD_TYPE_GROUP, false}, {"miss", kd_miss_type(group), false},
		{"else", KD_TYPE_STRING, false}, {"default", KD_TYPE_STRING, false},
		{"variants", KD_TYPE_GROUPS, false}, {"draw", KD_TYPE_STRING, false},
		{"evidence", KD_TYPE_GROUP, false}, {"pending", KD_TYPE_STRINGS, false}, {NULL, 0, false}};
	struct kd_book_rule r = {.mechanism_index = -1};
	unsigned int errors = book->diags->errors;

	kd_schema_check(book, group, keys);
	head_of(book, group, &r);
	phase_of(book, group, &r);
	if (r.other != NULL && r.phase == KD_PHASE_OBSERVE)
		kd_schema_error(book, config_setting_get_member(group, "else"),
			"it never acts on the flow in hand, so nothing has to stand in for it",
			"\"else\" in a rule that observes");
	kd_scope_read(book, group, &r.scope);
	if (book->no_memory)
		return;
	kd_parts_read(book, group, &r);
	if (book->no_memory)
		return;
	if (r.phase == KD_PHASE_OBSERVE && r.residual.given && r.residual.key != NULL &&
		strcmp(r.residual.key, "4-tuple") == 0)
		kd_schema_error(book, kd_schema_get(group, "residual", KD_TYPE_GROUP),
			"expected a key that other flows share: address, prefix, ...",
			"a residual on the 4-tuple in a rule that observes: its own flow goes on");
	kd_pending_read(book, group, &r.needs, &r.pending, NULL);
	evidence_of(book, group, &r);
	r.broken = book->diags->errors > errors;
	for (unsigned int i = 0; i < r.nvariants; i++)
		r.variants[i].broken = r.broken;
	if (r.id != NULL && r.at.file != NULL)
		rule_keep(book, &r);
}

void kd_rules_read(struct kd_book *book, const config_setting_t *root)
{
	kd_schema_each(book, root, "rules", rule);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A rule as the sum of its parts, and its variants: hypotheses of which one is true. Each variant is a whole
 * rule, made of the parts it gives and of the rule's own for the rest, so that whoever takes one need not
 * know that there were others. Which one is taken is decided elsewhere.
 */
#include "rulebook/rule.h"
#include "rulebook/when.h"

#include "engine/mechanism.h"
#include "engine/protocol.h"

#include <stdio.h>
#include <string.h>

enum { WHEN, THEN, RESIDUAL, MISS, SHARE, FLAP, PARTS };

/* A part is a rule of which only that is filled, with the numbers and the needs it brings. */
struct parts {
	const struct kd_book_rule *part[PARTS]; /* NULL = not given */
	unsigned int errors;			/* of the book, before any was read */
};

#define WEIGHT_MAX 1000000

uint32_t kd_weight_read(struct kd_book *book, const config_setting_t *group)
{
	const config_setting_t *s = config_setting_get_member(group, "weight");
	long long weight;

	if (s == NULL)
		return 1;
	if (config_setting_type(s) != CONFIG_TYPE_INT && config_setting_type(s) != CONFIG_TYPE_INT64) {
		if (config_setting_type(s) == CONFIG_TYPE_STRING)
			kd_schema_error(book, s, "expected a plain whole number: weight = 3",
				"\"%.80s\" is not a weight", config_setting_get_string(s));
		return 1; /* of what is neither kd_schema_check said it */
	}
	weight = config_setting_get_int64(s);
	if (kd_schema_cut(book, s))
		return 1;
	if (weight < 1 || weight > WEIGHT_MAX) {
		kd_schema_error(book, s, "expected 1 to 1000000", "a weight of %lld", weight);
		return 1;
	}
	return (uint32_t)weight;
}

unsigned int kd_variants_count(struct kd_book *book, const config_setting_t *variants)
{
	unsigned int n = 0;

	for (int i = 0; i < config_setting_length(variants); i++)
		n += config_setting_is_group(config_setting_get_elem(variants, (unsigned int)i));
	if (n < 2 && n == (unsigned int)config_setting_length(variants))
		kd_schema_error(book, variants, "write it without \"variants\"", "variants are two at least");
	return n;
}

static struct kd_book_rule *part_new(struct kd_book *book, const struct kd_book_rule *head)
{
	struct kd_book_rule *part = kd_arena_alloc(book->arena, sizeof(*part));

	if (part == NULL)
		book->no_memory = true;
	else
		*part = *head;
	return part;
}

static const config_setting_t *member(const config_setting_t *group, int part)
{
	static const char *const names[PARTS] = {"when", "then", "residual", "miss", "share", "flap"};
	static const uint8_t types[PARTS] = {
		KD_TYPE_GROUP, KD_TYPE_GROUP, KD_TYPE_GROUP, 0, KD_TYPE_STRING, KD_TYPE_STRING};

	return kd_schema_get(
		group, names[part], part == MISS ? kd_miss_type(group) : (enum kd_type)types[part]);
}

/* The parts that a group gives go over those of ret. `pending` is the rule's. */
static void parts_of(struct kd_book *book, const config_setting_t *group, const config_setting_t *pending,
	const struct kd_book_rule *head, struct parts *ret)
{
	for (int i = 0; i < PARTS; i++) {
		const config_setting_t *s = member(group, i);
		struct kd_when_facts facts = {0};
		struct kd_book_rule *part;

		if (s == NULL || (i == WHEN && head->deny))
			continue;
		part = part_new(book, head);
		if (part == NULL)
			return;
		if (i == WHEN) {
			part->when = kd_when_read(book, s, part, &facts);
			part->count = facts.count;
		} else if (i == THEN) {
			kd_then_read(book, s, pending, part);
		} else if (i == RESIDUAL) {
			kd_residual_read(book, s, part);
		} else if (i == MISS) {
			kd_miss_read(book, s, part);
		} else if (i == FLAP) {
			if (kd_rule_number(book, s, "flap", KD_UNIT_DURATION, part, &part->flap))
				kd_flap_lasts(book, s, &part->flap);
		} else {
			kd_rule_number(book, s, "share", KD_UNIT_SHARE, part, &part->share);
		}
		ret->part[i] = part;
	}
}

/* Numbers and needs of one part more. */
static void gather(struct kd_book *book, struct kd_book_rule *whole, const struct kd_book_rule *part)
{
	for (unsigned int i = 0; i < part->nnumbers; i++) {
		whole->numbers =
			kd_arena_grow(book->arena, whole->numbers, whole->nnumbers, sizeof(*whole->numbers));
		if (whole->numbers == NULL) {
			book->no_memory = true;
			whole->nnumbers = 0;
			return;
		}
		whole->numbers[whole->nnumbers++] = part->numbers[i];
	}
	for (unsigned int i = 0; i < part->needs.n; i++)
		kd_needs_add(book, &whole->needs, part->needs.what[i], false);
	whole->needs.inert = whole->needs.inert || part->needs.inert;
	whole->numbers_given = whole->numbers_given || part->numbers_given;
	whole->unranged = whole->unranged || part->unranged;
	whole->ranged = whole->ranged || part->ranged;
}

static void assemble(struct kd_book *book, struct kd_book_rule *whole, const struct parts *from)
{
	const struct kd_book_rule *const *part = from->part;

	if (part[WHEN] != NULL) {
		whole->when = part[WHEN]->when;
		whole->count = part[WHEN]->count;
	}
	if (part[THEN] != NULL) {
		whole->mechanism = part[THEN]->mechanism;
		whole->mechanism_index = part[THEN]->mechanism_index;
		whole->then = part[THEN]->then;
		whole->closes = part[THEN]->closes;
		whole->after = part[THEN]->after;
		whole->after_amount = part[THEN]->after_amount;
		whole->delay_before = part[THEN]->delay_before;
		whole->flow_share = part[THEN]->flow_share;
		whole->extent = part[THEN]->extent;
		memcpy(whole->params, part[THEN]->params, sizeof(whole->params));
	}
	if (part[RESIDUAL] != NULL)
		whole->residual = part[RESIDUAL]->residual;
	if (part[MISS] != NULL) {
		whole->misses = part[MISS]->misses;
		whole->nmisses = part[MISS]->nmisses;
	}
	if (part[SHARE] != NULL)
		whole->share = part[SHARE]->share;
	if (part[FLAP] != NULL)
		whole->flap = part[FLAP]->flap;
	for (int i = 0; i < PARTS; i++)
		if (part[i] != NULL)
			gather(book, whole, part[i]);
}

static bool needs(const struct kd_book_rule *r, unsigned int what)
{
	const struct kd_mechanism *m = r->mechanism_index >= 0 ? kd_mechanisms[r->mechanism_index] : NULL;

	return m != NULL && m->needs != NULL && (m->needs(r->params) & what) != 0;
}

/* Whether its mechanism needs TCP and its `when` lets none through. A residual may hold other flows than
 * those that match. */
static bool cannot_act(const struct kd_book *book, const struct kd_book_rule *r)
{
	if (r->phase == KD_PHASE_OBSERVE || (r->residual.given && strcmp(r->residual.key, "4-tuple") != 0))
		return false;
	return needs(r, KD_NEEDS_TCP) && (kd_when_transports(book, r->when) & KD_TRANSPORT_TCP) == 0;
}

/* Whether some `to` of the rule names a tag. */
static bool has_tags(const struct kd_when *when)
{
	for (; when != NULL; when = when->next)
		if (has_tags(when->child) || (when->kind == KD_WHEN_TERM && when->term == KD_TERM_ADDRESS &&
						     when->of == KD_END_TO && when->addresses.ntags != 0))
			return true;
	return false;
}

/* What the parts must be together. */
static void check(struct kd_book *book, const config_setting_t *at, const struct kd_book_rule *whole,
	const struct parts *p)
{
	bool allows = p->part[THEN] != NULL && p->part[THEN]->closes != 0;

	if (whole->phase == KD_PHASE_OBSERVE) {
		if (p->part[RESIDUAL] != NULL && p->part[THEN] == NULL)
			kd_schema_error(book, at, "in observe, \"then\" says what a residual does",
				"a residual without \"then\"");
		else if (p->part[THEN] != NULL && p->part[RESIDUAL] == NULL && !allows)
			kd_schema_warn(book, at, "it says what a residual does, and there is none",
				"\"then\" has no effect in a rule that observes");
	}
	if (book->diags->errors == p->errors && whole->residual.given &&
		whole->residual.keyed_by == KD_RESIDUAL_TAG && !has_tags(whole->when))
		kd_schema_error(book, at, "name one in \"to\": to = [ \"@TAG\" ]",
			"a residual on the tag of a rule that names none");
	if (book->diags->errors == p->errors && whole->extent != KD_EXTENT_FROM_HERE &&
		needs(whole, KD_NEEDS_TURN))
		kd_schema_error(book, at, "leave \"scope\" out: answers are other packets",
			"\"%.80s\" with a scope never turns an answer back", whole->mechanism);
	if (allows && p->part[RESIDUAL] != NULL)
		kd_schema_error(book, at, "an allow holds for its flow alone", "a residual beside \"allow\"");
	if (book->diags->errors == p->errors && !book->no_memory && cannot_act(book, whole))
		kd_schema_warn(book, at, "it needs TCP, and \"when\" leaves none",
			"\"%.80s\" can never act on what this matches", whole->mechanism);
}

/* "when" or "then" that neither the rule nor one of its variants gives. */
static void needed(struct kd_book *book, const config_setting_t *group, const config_setting_t *variants,
	const struct kd_book_rule *rule, const char *name)
{
	unsigned int with = 0, groups = 0;

	if (config_setting_get_member(group, name) != NULL)
		return;
	for (int i = 0; variants != NULL && i < config_setting_length(variants); i++) {
		const config_setting_t *v = config_setting_get_elem(variants, (unsigned int)i);

		if (!config_setting_is_group(v))
			continue;
		groups++;
		with += config_setting_get_member(v, name) != NULL;
	}
	if (rule->deny || (strcmp(name, "then") == 0 && rule->phase == KD_PHASE_OBSERVE))
		return;
	if (with == 0) {
		kd_schema_error(book, group, NULL, "\"%s\" is missing", name);
		return;
	}
	for (int i = 0; with < groups && i < config_setting_length(variants); i++) {
		const config_setting_t *v = config_setting_get_elem(variants, (unsigned int)i);

		if (config_setting_is_group(v) && config_setting_get_member(v, name) == NULL)
			kd_schema_error(book, v, "the rule itself has none", "\"%s\" is missing", name);
	}
}

static void variant(struct kd_book *book, const config_setting_t *group, const config_setting_t *pending,
	const struct kd_book_rule *head, struct parts p, struct kd_book_rule *rule)
{
	const struct kd_key keys[] = {{"name", KD_TYPE_STRING, false}, {"weight", KD_TYPE_NUMBER, false},
		{"when", KD_TYPE_GROUP, false}, {"then", KD_TYPE_GROUP, false},
		{"residual", KD_TYPE_GROUP, false}, {"miss", kd_miss_type(group), false},
		{"share", KD_TYPE_STRING, false}, {"flap", KD_TYPE_STRING, false}, {NULL, 0, false}};
	struct kd_book_rule whole = *head;
	const char *name = kd_schema_string(group, "name");
	unsigned int n = rule->nvariants;
	char number[16];

	kd_schema_check(book, group, keys);
	if (config_setting_get_member(group, "when") != NULL && head->deny)
		kd_schema_error(book, config_setting_get_member(group, "when"),
			"it takes every flow that nothing let through", "\"when\" beside \"default\"");
	snprintf(number, sizeof(number), "%u", n + 1);
	for (unsigned int i = 0; i < n && name != NULL; i++)
		if (strcmp(rule->variant_names[i], name) == 0)
			kd_schema_error(book, kd_schema_get(group, "name", KD_TYPE_STRING), NULL,
				"double name: variant \"%.80s\"", name);
	parts_of(book, group, pending, head, &p);
	assemble(book, &whole, &p);
	check(book, group, &whole, &p);
	rule->weights[n] = kd_weight_read(book, group);
	rule->variant_names[n] = kd_schema_keep(book, name != NULL ? name : number);
	if (rule->variant_names[n] == NULL)
		return;
	for (unsigned int i = 0; i < whole.needs.n; i++)
		whole.pending =
			i == 0 ? whole.needs.what[0]
			       : kd_arena_printf(book->arena, "%s, %s", whole.pending, whole.needs.what[i]);
	rule->variants[rule->nvariants++] = whole;
}

static void variants_of(struct kd_book *book, const config_setting_t *list, const config_setting_t *pending,
	const struct kd_book_rule *head, const struct parts *own, struct kd_book_rule *rule)
{
	unsigned int n = kd_variants_count(book, list);

	rule->variants = kd_arena_alloc(book->arena, (n + 1) * sizeof(*rule->variants));
	rule->weights = kd_arena_alloc(book->arena, (n + 1) * sizeof(*rule->weights));
	rule->variant_names = kd_arena_alloc(book->arena, (n + 1) * sizeof(*rule->variant_names));
	if (rule->variants == NULL || rule->weights == NULL || rule->variant_names == NULL) {
		book->no_memory = true;
		return;
	}
	for (int i = 0; i < config_setting_length(list) && !book->no_memory; i++) {
		const config_setting_t *v = config_setting_get_elem(list, (unsigned int)i);

		if (config_setting_is_group(v))
			variant(book, v, pending, head, *own, rule);
	}
	/* What the rule needs is what its variants need: a part that all replace is nobody's. */
	memset(&rule->needs, 0, sizeof(rule->needs));
	for (unsigned int i = 0; i < rule->nvariants; i++) {
		const struct kd_book_rule *v = &rule->variants[i];

		for (unsigned int k = 0; k < v->needs.n; k++)
			kd_needs_add(book, &rule->needs, v->needs.what[k], v->needs.inert);
		rule->numbers_given = rule->numbers_given || v->numbers_given;
		rule->unranged = rule->unranged || v->unranged;
		rule->ranged = rule->ranged || v->ranged;
	}
}

void kd_parts_read(struct kd_book *book, const config_setting_t *group, struct kd_book_rule *rule)
{
	const config_setting_t *pending = kd_schema_get(group, "pending", KD_TYPE_STRINGS),
			       *list = kd_schema_get(group, "variants", KD_TYPE_GROUPS);
	const struct kd_book_rule head = *rule;
	struct kd_book_rule *deny;
	struct parts own = {.errors = book->diags->errors};

	parts_of(book, group, pending, &head, &own);
	if (head.deny && config_setting_get_member(group, "then") == NULL) {
		deny = part_new(book, &head);
		if (deny == NULL)
			return;
		kd_then_deny(book, group, deny);
		own.part[THEN] = deny;
	}
	needed(book, group, list, &head, "when");
	needed(book, group, list, &head, "then");
	assemble(book, rule, &own);
	if (list != NULL)
		variants_of(book, list, pending, &head, &own, rule);
	else
		check(book, group, rule, &own);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a sampled box drew, in words: dates, variants and numbers of whatever was picked, so that a result can
 * be told from the box it was had with. The values themselves are those of the policy: nothing is decided
 * here.
 */
#include "rulebook/picked.h"
#include "rulebook/setting.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct list {
	const struct kd_picked *picked;
	struct kd_policy *policy;
	bool no_memory;
};

bool kd_picked_counts(const struct kd_book_rule *body, const struct kd_book_number *number)
{
	if (strncmp(number->key, "miss", 4) == 0 && (number->key[4] == '\0' || number->key[4] == '.'))
		return false;
	return !kd_picked_per_flow(body, number);
}

bool kd_picked_per_flow(const struct kd_book_rule *body, const struct kd_book_number *number)
{
	return strncmp(number->key, "then.after.", 11) == 0 && body->then != NULL &&
	       strstr(body->then, " after.per=flow") != NULL;
}

static void add(struct list *l, const char *kind, const char *id, const char *aspect, const char *value)
{
	struct kd_policy *policy = l->policy;
	struct kd_drawn d = {.value = kd_arena_strdup(policy->arena, value)};

	d.what = kd_arena_printf(policy->arena, "%s:%s%s%s", kind, id, aspect[0] != '\0' ? "." : "", aspect);
	policy->drawn = kd_arena_grow(policy->arena, policy->drawn, policy->ndrawn, sizeof(d));
	if (policy->drawn == NULL || d.what == NULL || d.value == NULL) {
		policy->ndrawn = 0;
		l->no_memory = true;
		return;
	}
	policy->drawn[policy->ndrawn++] = d;
}

static void add_number(
	struct list *l, const char *kind, const char *id, const char *draw, const struct kd_book_number *n)
{
	char text[KD_UNITS_TEXT];

	if (n->text == NULL || !n->n.ranged)
		return;
	kd_units_text(text, n->kind, kd_sample_number(&l->picked->sample, draw, n->key, &n->n));
	add(l, kind, id, n->key, text);
}

static void add_day(struct list *l, const char *kind, const char *id, const char *draw, const char *aspect,
	const struct kd_dates *dates)
{
	char text[KD_DAY_TEXT];

	if (dates->first == dates->last)
		return;
	kd_day_text(text, kd_sample_day(&l->picked->sample, draw, dates));
	add(l, kind, id, aspect, text);
}

static void add_days(
	struct list *l, const char *kind, const char *id, const char *draw, const struct kd_scope *scope)
{
	/* All that stands in a file of one's own is in force. */
	if (l->picked->book->own != NULL)
		return;
	add_day(l, kind, id, draw, "since", &scope->since);
	add_day(l, kind, id, draw, "until", &scope->until);
}

static void add_rule(struct list *l, const struct kd_picked_rule *p)
{
	const struct kd_book_rule *r = p->rule;
	char text[24];

	add_days(l, "rule", r->id, r->draw, &r->scope);
	if (r->nvariants > 0) {
		unsigned int v = (unsigned int)(p->body - r->variants);

		snprintf(text, sizeof(text), "%u", v + 1);
		add(l, "rule", r->id, "variant",
			r->variant_names != NULL && r->variant_names[v] != NULL ? r->variant_names[v] : text);
	}
	for (unsigned int i = 0; i < p->body->nnumbers; i++)
		if (kd_picked_counts(p->body, &p->body->numbers[i]))
			add_number(l, "rule", r->id, r->draw, &p->body->numbers[i]);
	if (p->miss != NULL)
		add_number(l, "rule", r->id, r->draw, &p->miss->value);
}

/* A knob may have several entries in force: the second is "NAME.2". */
static void add_knob(struct list *l, uint32_t index)
{
	const struct kd_book_knob *b = l->picked->knobs[index];
	const char *id = b->name;
	unsigned int nth = 1;

	for (uint32_t i = 0; i < index; i++)
		nth += strcmp(l->picked->knobs[i]->name, b->name) == 0;
	if (nth > 1)
		id = kd_arena_printf(l->policy->arena, "%s.%u", b->name, nth);
	if (id == NULL) {
		l->no_memory = true;
		return;
	}
	add_days(l, "knob", id, b->draw, &b->scope);
	if (b->nvalues > 1)
		add(l, "knob", id, "variant", l->policy->knobs[index].value);
	add_number(l, "knob", id, b->draw, &b->share);
	add_number(l, "knob", id, b->draw, &b->flap);
}

static bool is_overridden(const struct list *l, const char *key)
{
	size_t len = strlen(key);

	for (const char *const *set = l->picked->set; set != NULL && *set != NULL; set++)
		if (strncmp(*set, key, len) == 0 && (*set)[len] == '=')
			return true;
	return false;
}

static const struct kd_book_setting *setting_in_force(const struct list *l, unsigned int key)
{
	const struct kd_book *book = l->picked->book;

	for (unsigned int i = 0; i < book->nsettings; i++)
		if (book->settings[i].key == key && kd_book_in_force(book, &book->settings[i].scope,
							    book->settings[i].draw, l->picked->query))
			return &book->settings[i];
	return NULL;
}

static void add_setting(struct list *l, unsigned int key)
{
	const struct kd_setting_row *row = &kd_setting_rows[key];
	const struct kd_book_setting *st = setting_in_force(l, key);
	bool drawn = st != NULL && st->nvalues > 1;
	char text[KD_UNITS_TEXT];
	uint64_t value;

	if (st == NULL || is_overridden(l, row->key) || is_overridden(l, row->deflt))
		return;
	add_days(l, "setting", row->key, st->draw, &st->scope);
	for (unsigned int i = 0; i < st->nvalues; i++)
		drawn = drawn || st->values[i].n.ranged;
	if (!drawn)
		return;
	memcpy(&value, (const char *)&l->policy->settings + row->offset, sizeof(value));
	kd_units_text(text, row->kind, value);
	add(l, "setting", row->key, "", text);
}

int kd_drawn_list(const struct kd_picked *picked, struct kd_policy *policy)
{
	struct list l = {.picked = picked, .policy = policy};

	if (picked->sample.number == 0)
		return 0;
	for (uint32_t i = 1; i <= policy->nrules; i++)
		add_rule(&l, &picked->rules[i]);
	for (uint32_t i = 0; i < policy->nknobs; i++)
		if (picked->knobs[i] != NULL)
			add_knob(&l, i);
	for (unsigned int i = 0; i < KD_SETTING_COUNT; i++)
		add_setting(&l, i);
	return l.no_memory ? -ENOMEM : 0;
}

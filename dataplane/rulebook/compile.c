/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From the book and a query to the policy that engines read: picks the rules in force for the query's box,
 * puts them in order of phase and place, draws their numbers, has their `when` lowered and the matchers
 * built. Rules were checked before; what can go wrong here is memory and the size of things.
 */
#include "rulebook/fingerprint.h"
#include "rulebook/lower.h"
#include "rulebook/place.h"
#include "rulebook/setting.h"

#include "engine/knob.h"
#include "engine/rng.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct work {
	const struct kd_book *book;
	struct kd_policy *policy;
	struct kd_arena *arena;
	struct kd_sets *sets;
	struct kd_picked picked;
	bool no_memory;
};

static const char *keep(struct work *w, const char *text)
{
	const char *copy;

	if (text == NULL)
		return NULL;
	copy = kd_arena_strdup(w->arena, text);
	if (copy == NULL)
		w->no_memory = true;
	return copy;
}

static int choose_box(struct work *w)
{
	const struct kd_query *query = w->picked.query;
	unsigned int number = query != NULL ? query->box : 0;
	struct kd_box *box = &w->policy->box;
	struct kd_path_boxes path;

	kd_path_of(w->book, query, &path);
	if (number >= path.n) {
		kd_diag(w->book->diags, KD_DIAG_ERROR, NULL, 0, w->policy->profile, NULL,
			"there is no box %u on its path, which has %u", number + 1, path.n);
		return -EINVAL;
	}
	w->picked.box = path.box[number];
	box->id = keep(w, w->picked.box->id);
	box->sees = w->picked.box->sees;
	box->number = (uint8_t)number;
	box->of = (uint8_t)path.n;
	box->protocols = w->picked.box->protocols;
	return w->no_memory ? -ENOMEM : 0;
}

static void pick_rule(struct work *w, const struct kd_book_rule *rule, struct kd_picked_rule *ret)
{
	ret->rule = rule;
	ret->body = kd_book_variant(w->book, rule, w->picked.query);
	for (unsigned int i = 0; i < ret->body->nmisses && ret->miss == NULL; i++)
		if (kd_book_in_force(w->book, &ret->body->misses[i].scope, rule->draw, w->picked.query))
			ret->miss = &ret->body->misses[i];
}

static int pick(struct work *w)
{
	const struct kd_book *book = w->book;
	uint32_t n = 0;

	w->picked.rules = kd_arena_alloc(w->arena, (book->nrules + 1) * sizeof(*w->picked.rules));
	if (w->picked.rules == NULL)
		return -ENOMEM;
	for (unsigned int phase = 0; phase < KD_PHASE_COUNT; phase++) {
		w->policy->phase_first[phase] = n + 1;
		if ((w->picked.box->phases >> phase & 1) == 0)
			continue;
		for (unsigned int i = 0; i < book->nrules; i++) {
			const struct kd_book_rule *r = &book->rules[i];

			if (r->phase == phase && kd_book_in_force(book, &r->scope, r->draw, w->picked.query))
				pick_rule(w, r, &w->picked.rules[++n]);
		}
	}
	w->policy->phase_first[KD_PHASE_COUNT] = n + 1;
	w->policy->nrules = n;
	if (n > KD_RULES_MAX) {
		const struct kd_at *at = &w->picked.rules[KD_RULES_MAX + 1].rule->at;

		kd_diag(book->diags, KD_DIAG_ERROR, at->file, at->line, at->path, NULL,
			"%u rules in force, %d at most", n, KD_RULES_MAX);
		return -EINVAL;
	}
	return 0;
}

static uint64_t draw_of(const char *name)
{
	return kd_hash_bytes((const uint8_t *)name, strlen(name));
}

static uint64_t number(const struct work *w, const struct kd_book_rule *rule, const struct kd_book_number *n)
{
	return kd_sample_number(&w->picked.sample, rule->draw, n->key, &n->n);
}

/* Equal ones are one, so that a flow has few to remember. */
static uint8_t flap(struct work *w, const struct kd_at *at, uint64_t draw, uint64_t time_ns)
{
	struct kd_policy *p = w->policy;

	for (uint32_t i = 0; i < p->nflaps; i++)
		if (p->flaps[i].draw == draw && p->flaps[i].time_ns == time_ns)
			return (uint8_t)(i + 1);
	if (p->nflaps == KD_FLAPS_MAX) {
		kd_diag(w->book->diags, KD_DIAG_ERROR, at->file, at->line, at->path,
			"give those that come and go together the same \"draw\" and time",
			"more than %d entries in force with \"flap\"", KD_FLAPS_MAX);
		return 0;
	}
	p->flaps = kd_arena_grow(w->arena, p->flaps, p->nflaps, sizeof(*p->flaps));
	if (p->flaps == NULL) {
		w->no_memory = true;
		p->nflaps = 0;
		return 0;
	}
	p->flaps[p->nflaps++] = (struct kd_flap){.draw = draw, .time_ns = time_ns};
	return (uint8_t)p->nflaps;
}

/* Numbers of the mechanism's settings go over the block of defaults. */
static void params(const struct work *w, const struct kd_picked_rule *p, uint8_t *ret)
{
	memcpy(ret, p->body->params, KD_MECH_PARAMS);
	for (unsigned int i = 0; i < p->body->nnumbers; i++) {
		const struct kd_book_number *n = &p->body->numbers[i];
		uint64_t value;
		uint32_t narrow;

		if (n->size == 0 || n->text == NULL || n->offset + n->size > KD_MECH_PARAMS)
			continue;
		value = number(w, p->rule, n);
		narrow = (uint32_t)value;
		if (n->size == sizeof(narrow))
			memcpy(ret + n->offset, &narrow, sizeof(narrow));
		else if (n->size == sizeof(value))
			memcpy(ret + n->offset, &value, sizeof(value));
	}
}

static void when_to_act(const struct work *w, const struct kd_picked_rule *p, struct kd_rule *r)
{
	const struct kd_book_rule *b = p->body;
	uint64_t drawn;

	r->scope = b->extent;
	if (b->flow_share.text != NULL)
		r->spared = UINT64_MAX - number(w, p->rule, &b->flow_share);
	if (b->delay_before.text != NULL)
		r->delay_before_ns = number(w, p->rule, &b->delay_before);
	if (b->after_amount.text == NULL)
		return;
	r->after = b->after;
	r->after.lo = b->after_amount.n.lo;
	r->after.hi = b->after_amount.n.hi;
	if (!b->after.per_box)
		return;
	drawn = number(w, p->rule, &b->after_amount);
	r->after.lo = r->after.hi = drawn;
}

static void rule(struct work *w, const struct kd_picked_rule *p, struct kd_rule *r)
{
	const struct kd_book_rule *b = p->body;
	bool acts = b->mechanism != NULL && b->mechanism_index >= 0;

	r->id = keep(w, p->rule->id);
	r->file = keep(w, p->rule->at.file);
	r->line = p->rule->at.line;
	r->since = keep(w, p->rule->scope.since_text);
	r->until = keep(w, p->rule->scope.until_text);
	r->phase = p->rule->phase;
	r->mechanism = acts ? (uint8_t)b->mechanism_index : KD_MECHANISM_NONE;
	r->closes = b->closes;
	r->inert = b->needs.inert || (b->mechanism != NULL && !acts);
	r->pending = keep(w, b->pending);
	r->first_term = KD_TERM_TRUE;
	r->presence = b->share.text != NULL ? number(w, p->rule, &b->share) : UINT64_MAX;
	r->draw = draw_of(p->rule->draw);
	if (b->flap.text != NULL)
		r->flap = flap(w, &p->rule->at, r->draw, number(w, p->rule, &b->flap));
	if (b->residual.given && b->residual.time.text != NULL)
		r->residual_ns = number(w, p->rule, &b->residual.time);
	r->residual_key = b->residual.keyed_by;
	r->residual_for = b->residual.held_for;
	r->residual_restart = b->residual.restarted_by;
	r->residual_transports = b->residual.transports;
	r->residual_protocols = b->residual.recognised;
	if (b->residual.publish_after.text != NULL)
		r->publish_after_ns = number(w, p->rule, &b->residual.publish_after);
	if (p->miss != NULL && p->miss->value.text != NULL)
		r->miss = number(w, p->rule, &p->miss->value);
	when_to_act(w, p, r);
	params(w, p, r->params);
	for (unsigned int i = 0; i < KD_PART_COUNT; i++) {
		r->claims[i] = keep(w, b->evidence.claims[i]);
		r->grade[i] = b->evidence.grade[i];
	}
}

static int rules(struct work *w)
{
	struct kd_policy *policy = w->policy;
	struct kd_lower lower = {
		.book = w->book, .policy = policy, .sets = w->sets, .sample = w->picked.sample};
	int rc = 0;

	policy->rules = kd_arena_alloc(w->arena, ((size_t)policy->nrules + 1) * sizeof(*policy->rules));
	if (policy->rules == NULL)
		return -ENOMEM;
	for (uint32_t i = 1; i <= policy->nrules; i++)
		rule(w, &w->picked.rules[i], &policy->rules[i]);
	if (w->no_memory)
		return -ENOMEM;
	for (uint32_t i = 1; i <= policy->nrules && rc == 0; i++) {
		const struct kd_picked_rule *p = &w->picked.rules[i];

		if (p->body->other != NULL)
			policy->rules[i].other = kd_policy_rule_find(policy, p->body->other);
		rc = kd_lower_when(&lower, p->body, p->rule->draw, (uint16_t)i);
	}
	return rc;
}

/* `b` is its entry in the book, NULL for one of the command line. */
static int add_knob(struct work *w, const struct kd_book_knob *b, const struct kd_knob *k)
{
	struct kd_policy *policy = w->policy;

	policy->knobs = kd_arena_grow(w->arena, policy->knobs, policy->nknobs, sizeof(*k));
	w->picked.knobs = kd_arena_grow(w->arena, w->picked.knobs, policy->nknobs, sizeof(b));
	if (policy->knobs == NULL || w->picked.knobs == NULL || w->no_memory)
		return -ENOMEM;
	w->picked.knobs[policy->nknobs] = b;
	policy->knobs[policy->nknobs++] = *k;
	return 0;
}

static int knob(struct work *w, const struct kd_book_knob *b)
{
	const struct kd_sample *sample = &w->picked.sample;
	int index = kd_knob_find(b->name, strlen(b->name)), word;
	struct kd_knob k = {.name = keep(w, b->name),
		.index = KD_KNOB_COUNT,
		.draw = draw_of(b->draw),
		.share = UINT64_MAX,
		.protocols = b->protocols};
	unsigned int value = 0;

	if (b->nvalues > 1)
		value = kd_sample_variant(sample, b->draw, b->weights, b->nvalues);
	if (b->nvalues > 0)
		k.value = keep(w, b->values[value]);
	/* A wrong word was told of when the book was read. */
	word = index >= 0 && k.value != NULL ? kd_knob_value((unsigned int)index, k.value, strlen(k.value))
					     : -1;
	if (word >= 0) {
		k.index = (uint8_t)index;
		k.value_index = (uint8_t)word;
	}
	if (b->share.text != NULL)
		k.share = kd_sample_number(sample, b->draw, b->share.key, &b->share.n);
	if (b->flap.text != NULL)
		k.flap = flap(w, &b->at, k.draw, kd_sample_number(sample, b->draw, b->flap.key, &b->flap.n));
	if (b->to != NULL) {
		int rc = kd_sets_addresses(w->sets, b->to, &b->at, &k.to_set);

		if (rc < 0)
			return rc;
	}
	return add_knob(w, b, &k);
}

/* KNOB=VALUE of the command line, which setting.c has checked; false: it is something else. */
static bool set_knob(const char *text, struct kd_knob *ret)
{
	size_t len = strcspn(text, "=");
	int index = kd_knob_find(text, len), value;

	if (index < 0 || text[len] != '=')
		return false;
	value = kd_knob_value((unsigned int)index, text + len + 1, strlen(text + len + 1));
	if (value < 0)
		return false;
	*ret = (struct kd_knob){.name = kd_knob_rows[index].name,
		.value = text + len + 1,
		.index = (uint8_t)index,
		.value_index = (uint8_t)value,
		.share = UINT64_MAX};
	return true;
}

static bool is_overridden(const struct work *w, const struct kd_book_knob *b)
{
	struct kd_knob k;

	for (const char *const *set = w->picked.set; set != NULL && *set != NULL; set++)
		if (set_knob(*set, &k) && strcmp(k.name, b->name) == 0)
			return true;
	return false;
}

/* Of two for the same knob the last counts: it comes first. */
static int set_knobs(struct work *w)
{
	const char *const *set = w->picked.set;
	unsigned int n = 0;
	struct kd_knob k;
	int rc = 0;

	while (set != NULL && set[n] != NULL)
		n++;
	while (n > 0 && rc == 0) {
		if (!set_knob(set[--n], &k))
			continue;
		k.value = keep(w, k.value);
		rc = add_knob(w, NULL, &k);
	}
	return rc;
}

static int knobs(struct work *w)
{
	int rc = set_knobs(w);

	for (unsigned int i = 0; i < w->book->nknobs && rc == 0; i++) {
		const struct kd_book_knob *b = &w->book->knobs[i];

		if (!is_overridden(w, b) && kd_book_in_force(w->book, &b->scope, b->draw, w->picked.query))
			rc = knob(w, b);
	}
	return rc;
}

static int signatures(struct work *w)
{
	const struct kd_book *book = w->book;
	unsigned int n = book->nsignatures, compiled = 0;
	const char **exprs = kd_arena_alloc(w->arena, (n + 1) * sizeof(*exprs));
	const char **ids = kd_arena_alloc(w->arena, (n + 1) * sizeof(*ids));
	uint8_t *transports = kd_arena_alloc(w->arena, n + 1);
	uint16_t *numbers = kd_arena_alloc(w->arena, (n + 1) * sizeof(*numbers));

	if (exprs == NULL || ids == NULL || transports == NULL || numbers == NULL)
		return -ENOMEM;
	for (unsigned int i = 0; i < n; i++) {
		if (book->signatures[i].pattern != NULL) {
			exprs[compiled] = book->signatures[i].pattern;
			numbers[compiled++] = (uint16_t)(i + 1);
		}
		ids[i + 1] = keep(w, book->signatures[i].id);
		transports[i + 1] = book->signatures[i].transports;
	}
	if (w->no_memory)
		return -ENOMEM;
	w->policy->signature_ids = ids;
	w->policy->signature_transports = transports;
	w->policy->nsignatures = n;
	return kd_sets_patterns(book, &w->policy->signatures, KD_PATTERN_PAYLOAD, exprs, numbers, compiled,
		w->policy->profile);
}

/* All of the book's, so that what a rule's settings say of them need not change. */
static int texts(struct work *w)
{
	const struct kd_book *book = w->book;
	struct kd_text *list;

	if (book->ntexts == 0)
		return 0;
	list = kd_arena_alloc(w->arena, ((size_t)book->ntexts + 1) * sizeof(*list));
	if (list == NULL)
		return -ENOMEM;
	list[0] = (struct kd_text){.p = ""};
	for (unsigned int i = 0; i < book->ntexts; i++)
		list[i + 1] = (struct kd_text){
			.p = keep(w, book->texts[i]), .len = (uint16_t)strlen(book->texts[i])};
	w->policy->texts = list;
	w->policy->ntexts = book->ntexts;
	return w->no_memory ? -ENOMEM : 0;
}

static int all_of(struct work *w)
{
	int (*const steps[])(struct work *) = {choose_box, pick, rules, knobs, signatures, texts};
	int rc = 0;

	kd_settings_apply(w->book, w->picked.query, w->picked.set, &w->policy->settings);
	for (unsigned int i = 0; i < sizeof(steps) / sizeof(steps[0]) && rc == 0; i++)
		rc = steps[i](w);
	if (rc == 0)
		rc = kd_sets_build(w->sets);
	if (rc == 0)
		rc = kd_drawn_list(&w->picked, w->policy);
	if (rc == 0)
		rc = kd_fingerprint(w->policy->hash, &w->picked, w->policy);
	return rc;
}

int kd_book_compile(struct kd_policy **ret, const struct kd_book *book, const struct kd_query *query,
	const char *profile, const char *const *set, bool real)
{
	unsigned int errors = book->diags->errors;
	struct kd_policy *policy = calloc(1, sizeof(*policy));
	struct work w = {.book = book,
		.policy = policy,
		.picked = {.book = book, .query = query, .set = set, .sample = kd_sample_of(query)}};
	int rc = -ENOMEM;

	if (policy == NULL)
		return -ENOMEM;
	policy->arena = w.arena = kd_arena_new();
	if (w.arena == NULL) {
		free(policy);
		return -ENOMEM;
	}
	w.sets = kd_sets_new(book, policy, real);
	policy->profile = keep(&w, profile);
	if (w.sets != NULL && policy->profile != NULL)
		rc = all_of(&w);
	kd_sets_free(w.sets);
	if (rc == 0 && book->diags->errors > errors)
		rc = -EINVAL;
	if (rc < 0) {
		kd_policy_free(policy);
		return rc;
	}
	*ret = policy;
	return 0;
}

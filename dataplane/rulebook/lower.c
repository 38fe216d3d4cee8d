/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lowers trees of `when`. A node is given where evaluation goes on when it is true and when it is false, and
 * answers with where it begins; so the last term is made first, and the finished program is turned round.
 * What a term means is the engine's; sets are sets.c's.
 */
#include "rulebook/lower.h"

#include "engine/protocol.h"

#include <errno.h>
#include <string.h>

/* One rule's program while it is made: policy->terms[first..nterms), last term first. */
struct program {
	struct kd_lower *l;
	const struct kd_book_rule *rule;
	const char *draw;
	uint16_t index, counter; /* counter: index + 1 */
	uint32_t first;
	bool negated; /* an odd number of `not` around what is read now */
	int rc;
};

static void fail(struct program *p, int rc)
{
	if (p->rc == 0)
		p->rc = rc;
}

static void too_many(struct program *p, const struct kd_at *at, const char *what, unsigned int most)
{
	if (p->rc == 0)
		kd_diag(p->l->book->diags, KD_DIAG_ERROR, at->file, at->line, at->path, NULL,
			"more than %u %s in force at once", most, what);
	fail(p, -EINVAL);
}

/* An array of `n` for a term; NULL: nothing to keep, or no memory. */
static void *keep(struct program *p, const void *array, size_t n, size_t size)
{
	void *copy;

	if (n == 0)
		return NULL;
	copy = kd_arena_alloc(p->l->policy->arena, n * size);
	if (copy == NULL)
		fail(p, -ENOMEM);
	else
		memcpy(copy, array, n * size);
	return copy;
}

/* A term that jumps to t and f; where it stands. */
static uint16_t emit(
	struct program *p, const struct kd_when *when, struct kd_term term, uint16_t t, uint16_t f)
{
	struct kd_policy *policy = p->l->policy;

	if (p->rc < 0)
		return f;
	if (policy->nterms + 1 >= KD_TERM_FALSE) {
		too_many(p, &when->at, "terms", KD_TERM_FALSE - 1);
		return f;
	}
	policy->terms = kd_arena_grow(policy->arena, policy->terms, policy->nterms, sizeof(term));
	if (policy->terms == NULL) {
		policy->nterms = p->first = 0;
		fail(p, -ENOMEM);
		return f;
	}
	term.on_true = t;
	term.on_false = f;
	policy->terms[policy->nterms] = term;
	return (uint16_t)policy->nterms++;
}

static unsigned int many(struct program *p, const struct kd_when *when, unsigned int n)
{
	if (n > UINT16_MAX)
		too_many(p, &when->at, "values of one term", UINT16_MAX);
	return n;
}

static void set_spans(struct program *p, const struct kd_when *when, struct kd_term *term)
{
	term->n = (uint16_t)many(p, when, when->nspans);
	term->spans = keep(p, when->spans, when->nspans, sizeof(*when->spans));
}

static void set_runs(struct program *p, const struct kd_when *when, struct kd_term *term)
{
	struct kd_byte_run *runs = keep(p, when->runs, when->nruns, sizeof(*runs));

	for (unsigned int i = 0; runs != NULL && i < when->nruns; i++) {
		runs[i].bytes = keep(p, when->runs[i].bytes, when->runs[i].len, 1);
		runs[i].mask = keep(p, when->runs[i].mask, when->runs[i].len, 1);
	}
	term->n = (uint16_t)many(p, when, when->nruns);
	term->runs = runs;
}

static void set_texts(struct program *p, const struct kd_when *when, struct kd_term *term)
{
	struct kd_text *texts;

	term->n = (uint16_t)many(p, when, when->nwords);
	if (when->nwords == 0)
		return;
	texts = kd_arena_alloc(p->l->policy->arena, when->nwords * sizeof(*texts));
	term->texts = texts;
	if (texts == NULL) {
		fail(p, -ENOMEM);
		return;
	}
	for (unsigned int i = 0; i < when->nwords; i++) {
		size_t len = strlen(when->words[i]);

		texts[i].len = (uint16_t)(len < UINT16_MAX ? len : UINT16_MAX);
		texts[i].p = keep(p, when->words[i], len, 1);
	}
}

static bool is_text(const struct kd_when *when)
{
	unsigned int kind;

	if (when->protocol >= KD_PROTOCOL_COUNT || when->field >= KD_FIELDS_MAX)
		return false;
	kind = kd_protocols[when->protocol]->fields[when->field].kind;
	return kind == KD_FIELD_TEXT || kind == KD_FIELD_LIST8;
}

/* One of them is enough. */
static uint16_t signatures(struct program *p, const struct kd_when *when, uint16_t t, uint16_t f)
{
	const struct kd_book *book = p->l->book;

	for (unsigned int w = when->nwords; w-- > 0;)
		for (unsigned int i = 0; i < book->nsignatures; i++)
			if (strcmp(book->signatures[i].id, when->words[w]) == 0) {
				struct kd_term term = {.kind = KD_TERM_SIGNATURE, .set = (uint16_t)(i + 1)};

				f = emit(p, when, term, t, f);
				break;
			}
	return f;
}

/* The rule that is asked for; it may stand in the policy or not. */
static uint16_t already(struct program *p, const struct kd_when *when, uint16_t t, uint16_t f)
{
	for (unsigned int w = when->nwords; w-- > 0;) {
		struct kd_term term = {.kind = KD_TERM_ALREADY};
		uint16_t asked = kd_policy_rule_find(p->l->policy, when->words[w]);
		struct kd_rule *rule = &p->l->policy->rules[asked];

		if (asked == 0)
			continue;
		if (rule->seen_bit == 0) {
			if (p->l->nseen == KD_SEEN_MAX) {
				too_many(p, &when->at, "rules that an \"already\" names", KD_SEEN_MAX);
				return f;
			}
			rule->seen_bit = (uint8_t)++p->l->nseen;
		}
		term.set = rule->seen_bit - 1;
		term.mask = asked;
		f = emit(p, when, term, t, f);
	}
	return f;
}

/* The tags of every `to` of the rule, in its order. */
static void to_tags(struct program *p, const struct kd_when *when, uint16_t **tags, unsigned int *n)
{
	for (; when != NULL && p->rc == 0; when = when->next) {
		to_tags(p, when->child, tags, n);
		if (when->kind != KD_WHEN_TERM || when->term != KD_TERM_ADDRESS || when->of != KD_END_TO)
			continue;
		for (unsigned int i = 0; i < when->addresses.ntags; i++) {
			struct kd_address_term one = {.tags = &when->addresses.tags[i], .ntags = 1};
			int rc;

			*tags = kd_arena_grow(p->l->policy->arena, *tags, *n, sizeof(**tags));
			if (*tags == NULL) {
				fail(p, -ENOMEM);
				return;
			}
			rc = kd_sets_addresses(p->l->sets, &one, &when->at, *tags + *n);
			if (rc < 0) {
				fail(p, rc);
				return;
			}
			++*n;
		}
	}
}

static uint64_t number(const struct program *p, const struct kd_book_number *n)
{
	return n->text != NULL ? kd_sample_number(&p->l->sample, p->draw, n->key, &n->n) : 0;
}

static void set_counter(struct program *p, const struct kd_when *when, struct kd_term *term)
{
	struct kd_policy *policy = p->l->policy;
	struct kd_counter c = {.rule = p->index, .keys = when->count.keys, .negated = p->negated};
	uint16_t *tags = NULL;
	unsigned int ntags = 0;

	if (policy->ncounters == KD_COUNTERS_MAX) {
		too_many(p, &when->at, "counts", KD_COUNTERS_MAX);
		return;
	}
	if ((c.keys & KD_KEY_TAG) != 0)
		to_tags(p, p->rule->when, &tags, &ntags);
	c.tags = tags;
	c.ntags = (uint16_t)ntags;
	c.window_ns = number(p, &when->count.window);
	c.spacing_ns = number(p, &when->count.spacing);
	c.more_than = (uint32_t)number(p, &when->count.more_than);
	policy->counters = kd_arena_grow(policy->arena, policy->counters, policy->ncounters, sizeof(c));
	if (policy->counters == NULL) {
		policy->ncounters = 0;
		fail(p, -ENOMEM);
		return;
	}
	policy->counters[policy->ncounters] = c;
	term->set = (uint16_t)policy->ncounters++;
	p->counter = (uint16_t)(term->set + 1);
}

/* What each kind of term keeps beside its kind. */
static void fill(struct program *p, const struct kd_when *when, struct kd_term *term)
{
	switch (when->term) {
	case KD_TERM_PROTOCOL:
	case KD_TERM_TRANSPORT:
	case KD_TERM_FAKE:
		term->mask = when->mask;
		break;
	case KD_TERM_NAME:
		term->mask = when->mask;
		fail(p, kd_sets_names(p->l->sets, &when->names, &when->at, &term->set));
		break;
	case KD_TERM_ADDRESS:
		fail(p, kd_sets_addresses(p->l->sets, &when->addresses, &when->at, &term->set));
		break;
	case KD_TERM_PORT:
	case KD_TERM_LENGTH:
	case KD_TERM_NTH:
	case KD_TERM_HOURS:
		set_spans(p, when, term);
		break;
	case KD_TERM_BYTES:
		set_runs(p, when, term);
		break;
	case KD_TERM_FIELD:
		term->protocol = when->protocol;
		term->field = when->field;
		if (is_text(when))
			set_texts(p, when, term);
		else
			set_spans(p, when, term);
		break;
	case KD_TERM_COUNT:
		set_counter(p, when, term);
		break;
	case KD_TERM_PAIRS:
		if (when->pairs != NULL)
			fail(p, kd_sets_pairs(p->l->sets, when->pairs, &when->at, &term->pairings, &term->n));
		break;
	default:
		break;
	}
}

static uint16_t term_of(struct program *p, const struct kd_when *when, uint16_t t, uint16_t f)
{
	struct kd_term term = {.kind = when->term, .of = when->of};

	switch (when->term) {
	case KD_TERM_NEVER:
		return emit(p, when, term, f, f);
	case KD_TERM_SIGNATURE:
		return signatures(p, when, t, f);
	case KD_TERM_ALREADY:
		return already(p, when, t, f);
	case KD_TERM_OPENED:
	case KD_TERM_FROM:
		return when->of == KD_ANY_SIDE ? t : emit(p, when, term, t, f);
	default:
		fill(p, when, &term);
		return emit(p, when, term, t, f);
	}
}

static uint16_t node(struct program *p, const struct kd_when *when, uint16_t t, uint16_t f);

/* No child of ALL is true, of ANY false. */
static uint16_t children(struct program *p, const struct kd_when *first, bool all, uint16_t t, uint16_t f)
{
	const struct kd_when **list = NULL;
	uint16_t rest = all ? t : f;
	unsigned int n = 0;

	for (const struct kd_when *c = first; c != NULL; c = c->next) {
		list = kd_arena_grow(p->l->policy->arena, list, n, sizeof(*list));
		if (list == NULL) {
			fail(p, -ENOMEM);
			return f;
		}
		list[n++] = c;
	}
	while (n-- > 0)
		rest = all ? node(p, list[n], rest, f) : node(p, list[n], t, rest);
	return rest;
}

static uint16_t node(struct program *p, const struct kd_when *when, uint16_t t, uint16_t f)
{
	uint16_t entry;

	switch (when->kind) {
	case KD_WHEN_ALL:
		return children(p, when->child, true, t, f);
	case KD_WHEN_ANY:
		return children(p, when->child, false, t, f);
	case KD_WHEN_NOT:
		p->negated = !p->negated;
		/* Several terms in the group are all of them. */
		entry = children(p, when->child, true, f, t);
		p->negated = !p->negated;
		return entry;
	default:
		return term_of(p, when, t, f);
	}
}

static uint16_t turned(const struct program *p, uint16_t target)
{
	return target >= KD_TERM_FALSE ? target : (uint16_t)(p->first + p->l->policy->nterms - 1 - target);
}

/* Puts the program in order of evaluation. */
static uint16_t turn(struct program *p, uint16_t entry)
{
	struct kd_policy *policy = p->l->policy;

	/* Known without a look at the packet: what was made is not reached. */
	if (entry >= KD_TERM_FALSE) {
		policy->nterms = p->first;
		return entry;
	}
	for (uint32_t i = p->first; i < policy->nterms; i++) {
		policy->terms[i].on_true = turned(p, policy->terms[i].on_true);
		policy->terms[i].on_false = turned(p, policy->terms[i].on_false);
	}
	for (uint32_t a = p->first, b = policy->nterms - 1; a < b; a++, b--) {
		struct kd_term term = policy->terms[a];

		policy->terms[a] = policy->terms[b];
		policy->terms[b] = term;
	}
	return turned(p, entry);
}

/* Those of a residual on the tag. */
static void set_tags(struct program *p, struct kd_rule *r)
{
	uint16_t *tags = NULL;
	unsigned int n = 0;

	if (r->residual_key != KD_RESIDUAL_TAG)
		return;
	to_tags(p, p->rule->when, &tags, &n);
	r->residual_tags = tags;
	r->nresidual_tags = (uint16_t)n;
}

int kd_lower_when(struct kd_lower *l, const struct kd_book_rule *rule, const char *draw, uint16_t index)
{
	struct program p = {.l = l, .rule = rule, .draw = draw, .index = index, .first = l->policy->nterms};
	uint16_t entry = KD_TERM_TRUE;

	if (rule->needs.never)
		entry = KD_TERM_FALSE;
	else if (rule->when != NULL)
		entry = node(&p, rule->when, KD_TERM_TRUE, KD_TERM_FALSE);
	set_tags(&p, &l->policy->rules[index]);
	if (p.rc < 0)
		return p.rc;
	l->policy->rules[index].first_term = turn(&p, entry);
	l->policy->rules[index].counter = p.counter;
	return 0;
}

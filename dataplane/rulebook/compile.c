/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From the book and a query to the policy that engines read: picks the rules in force, puts them in order of
 * phase and place, gives equal name terms one set, builds the matchers and the hash. Everything was checked
 * before; what can go wrong here is memory and the size of things.
 */
#include "rulebook/book.h"
#include "rulebook/fingerprint.h"
#include "rulebook/setting.h"
#include "rulebook/term.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct work {
	const struct kd_book *book;
	struct kd_policy *policy;
	struct kd_arena *arena;
	const struct kd_book_rule **picked; /* [1..nrules] */
	const struct kd_name_list *sets[KD_NAME_SETS];
	unsigned int nsets; /* sets 1..nsets are in use */
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

static int pick(struct work *w, const struct kd_query *query)
{
	const struct kd_book *book = w->book;
	uint32_t n = 0;

	w->picked = kd_arena_alloc(w->arena, (book->nrules + 1) * sizeof(*w->picked));
	if (w->picked == NULL)
		return -ENOMEM;
	for (unsigned int phase = 0; phase < KD_PHASE_COUNT; phase++) {
		w->policy->phase_first[phase] = n + 1;
		for (unsigned int i = 0; i < book->nrules; i++)
			if (book->rules[i].phase == phase &&
				kd_book_in_force(book, &book->rules[i].scope, query))
				w->picked[++n] = &book->rules[i];
	}
	w->policy->phase_first[KD_PHASE_COUNT] = n + 1;
	w->policy->nrules = n;
	if (n > KD_RULES_MAX) {
		kd_diag(book->diags, KD_DIAG_ERROR, NULL, 0, w->policy->profile, NULL,
			"%u rules in force, %d at most", n, KD_RULES_MAX);
		return -EINVAL;
	}
	return 0;
}

/* The set of a name term: rules that name the same share it. 0: no more sets. */
static uint16_t set_of(struct work *w, const struct kd_book_rule *r)
{
	for (unsigned int i = 1; i <= w->nsets; i++)
		if (kd_term_same(w->sets[i], &r->names))
			return (uint16_t)i;
	if (w->nsets + 1 >= KD_NAME_SETS) {
		kd_diag(w->book->diags, KD_DIAG_ERROR, r->at.file, r->at.line, r->at.path, NULL,
			"more than %d different name terms in force at once", KD_NAME_SETS - 1);
		return 0;
	}
	w->sets[++w->nsets] = &r->names;
	return (uint16_t)w->nsets;
}

static int rules(struct work *w)
{
	struct kd_rule *out = kd_arena_alloc(w->arena, ((size_t)w->policy->nrules + 1) * sizeof(*out));

	if (out == NULL)
		return -ENOMEM;
	for (uint32_t i = 1; i <= w->policy->nrules; i++) {
		const struct kd_book_rule *b = w->picked[i];
		struct kd_rule *r = &out[i];

		r->id = keep(w, b->id);
		r->file = keep(w, b->at.file);
		r->line = b->at.line;
		r->since = keep(w, b->scope.since_text);
		r->until = keep(w, b->scope.until_text);
		r->phase = b->phase;
		r->opened_from = b->opened_from;
		r->from = b->from;
		r->mechanism = b->mechanism_index >= 0 ? (uint8_t)b->mechanism_index : 0;
		r->pending = keep(w, b->pending);
		r->protocols = b->protocols;
		r->signature = b->signature;
		r->residual_ns = b->residual_ns;
		r->miss = b->miss;
		memcpy(r->params, b->params, sizeof(r->params));
		for (unsigned int p = 0; p < KD_PART_COUNT; p++) {
			r->claims[p] = keep(w, b->evidence.claims[p]);
			r->grade[p] = b->evidence.grade[p];
		}
		if (b->name_key == NULL)
			continue;
		r->name_set = set_of(w, b);
		if (r->name_set == 0)
			return -EINVAL;
	}
	w->policy->rules = out;
	return w->no_memory ? -ENOMEM : 0;
}

static int plain_names(struct work *w)
{
	struct kd_names_builder *builder = kd_names_builder_new();
	unsigned int n = 0;
	int rc;

	if (builder == NULL)
		return -ENOMEM;
	for (unsigned int set = 1; set <= w->nsets; set++) {
		for (unsigned int i = 0; i < w->sets[set]->count; i++) {
			const struct kd_name *name = &w->sets[set]->names[i];

			if (name->host == NULL)
				continue;
			rc = kd_names_add(builder, name->host, strlen(name->host), name->what, set);
			if (rc < 0)
				goto fail;
			n++;
		}
	}
	if (n > 0)
		return kd_names_build(&w->policy->names, builder);
	rc = 0;
fail:;
	struct kd_names *unused = NULL;

	/* There is no other way to free a builder than to build it. */
	if (kd_names_build(&unused, builder) == 0)
		kd_names_free(unused);
	return rc;
}

static int patterns_of(struct work *w, struct kd_patterns **ret, unsigned int kind, const char *const *exprs,
	const uint16_t *ids, unsigned int n)
{
	unsigned int bad = 0;
	char *why = NULL;
	int rc;

	if (n == 0)
		return 0;
	rc = kd_patterns_new(ret, kind, exprs, ids, n, &bad, &why);
	if (rc == -EINVAL)
		kd_diag(w->book->diags, KD_DIAG_ERROR, NULL, 0, w->policy->profile, why,
			"\"%.80s\" does not compile", bad < n ? exprs[bad] : "?");
	free(why);
	return rc;
}

static int name_patterns(struct work *w)
{
	const char **exprs = NULL;
	uint16_t *ids = NULL;
	unsigned int n = 0;

	for (unsigned int set = 1; set <= w->nsets; set++) {
		for (unsigned int i = 0; i < w->sets[set]->count; i++) {
			if (w->sets[set]->names[i].expr == NULL)
				continue;
			exprs = kd_arena_grow(w->arena, exprs, n, sizeof(*exprs));
			ids = kd_arena_grow(w->arena, ids, n, sizeof(*ids));
			if (exprs == NULL || ids == NULL)
				return -ENOMEM;
			exprs[n] = w->sets[set]->names[i].expr;
			ids[n++] = (uint16_t)set;
		}
	}
	return patterns_of(w, &w->policy->name_patterns, KD_PATTERN_NAMES, exprs, ids, n);
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
	return patterns_of(w, &w->policy->signatures, KD_PATTERN_PAYLOAD, exprs, numbers, compiled);
}

int kd_book_compile(struct kd_policy **ret, const struct kd_book *book, const struct kd_query *query,
	const char *profile, const char *const *set)
{
	unsigned int errors = book->diags->errors;
	struct kd_policy *policy = calloc(1, sizeof(*policy));
	struct work w = {.book = book, .policy = policy};
	int rc;

	if (policy == NULL)
		return -ENOMEM;
	policy->arena = w.arena = kd_arena_new();
	if (w.arena == NULL) {
		free(policy);
		return -ENOMEM;
	}
	policy->profile = keep(&w, profile);
	kd_settings_apply(book, query, set, &policy->settings);
	rc = pick(&w, query);
	if (rc == 0)
		rc = rules(&w);
	if (rc == 0)
		rc = plain_names(&w);
	if (rc == 0)
		rc = name_patterns(&w);
	if (rc == 0)
		rc = signatures(&w);
	if (rc == 0)
		rc = kd_fingerprint(policy->hash, book, w.picked, policy);
	if (rc == 0 && book->diags->errors > errors)
		rc = -EINVAL;
	if (rc < 0) {
		kd_policy_free(policy);
		return rc;
	}
	*ret = policy;
	return 0;
}

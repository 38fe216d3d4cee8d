/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Collects the sets while rules are lowered, and builds the matchers once all are known: a builder takes the
 * names straight from the book. Lists of pairs are in pairs.c.
 */
#include "rulebook/frozen.h"
#include "rulebook/sets_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct kd_sets *kd_sets_new(const struct kd_book *book, struct kd_policy *policy, bool real)
{
	struct kd_sets *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->scratch = kd_arena_new();
	if (s->scratch == NULL) {
		free(s);
		return NULL;
	}
	s->book = book;
	s->policy = policy;
	s->real = real;
	return s;
}

void kd_sets_free(struct kd_sets *s)
{
	if (s == NULL)
		return;
	kd_arena_free(s->scratch);
	free(s);
}

int kd_sets_room(const struct kd_sets *s, unsigned int used, const char *noun, const struct kd_at *at)
{
	if (used + 1 < KD_NAME_SETS)
		return 0;
	kd_diag(s->book->diags, KD_DIAG_ERROR, at->file, at->line, at->path, NULL,
		"more than %d different %s terms in force at once", KD_NAME_SETS - 1, noun);
	return -EINVAL;
}

int kd_sets_names(struct kd_sets *s, const struct kd_name_term *term, const struct kd_at *at, uint16_t *ret)
{
	int rc;

	for (unsigned int i = 1; i <= s->nnames; i++) {
		if (s->names[i].term != NULL && kd_name_term_same(s->names[i].term, term)) {
			*ret = (uint16_t)i;
			return 0;
		}
	}
	rc = kd_sets_room(s, s->nnames, "name", at);
	if (rc < 0)
		return rc;
	s->names[++s->nnames].term = term;
	*ret = (uint16_t)s->nnames;
	return 0;
}

static int prefix_order(const void *a, const void *b)
{
	return kd_sets_prefix_order(a, b);
}

int kd_sets_prefix_order(const struct kd_prefix *a, const struct kd_prefix *b)
{
	unsigned int whole = a->bits / 8, rest = a->bits % 8;
	int order;

	if (a->v6 != b->v6)
		return a->v6 ? 1 : -1;
	if (a->bits != b->bits)
		return a->bits < b->bits ? -1 : 1;
	order = memcmp(a->addr, b->addr, whole);
	if (order != 0 || rest == 0)
		return order;
	return (a->addr[whole] >> (8 - rest)) - (b->addr[whole] >> (8 - rest));
}

static bool has_tag(const struct kd_address_term *term, const struct kd_book_tag *tag)
{
	for (unsigned int i = 0; i < term->ntags; i++)
		if (term->tags[i] == tag)
			return true;
	return false;
}

static bool tags_within(const struct kd_address_term *a, const struct kd_address_term *b)
{
	for (unsigned int i = 0; i < a->ntags; i++)
		if (!has_tag(b, a->tags[i]))
			return false;
	return true;
}

/* A term with its own prefixes in order and without doubles, so that terms can be compared. */
static int ordered(struct kd_sets *s, const struct kd_address_term *term, struct kd_address_term *ret)
{
	struct kd_prefix *own;
	unsigned int kept = 0;

	*ret = *term;
	if (term->nown == 0)
		return 0;
	own = kd_arena_alloc(s->scratch, term->nown * sizeof(*own));
	if (own == NULL)
		return -ENOMEM;
	memcpy(own, term->own, term->nown * sizeof(*own));
	qsort(own, term->nown, sizeof(*own), prefix_order);
	for (unsigned int i = 0; i < term->nown; i++)
		if (kept == 0 || prefix_order(&own[kept - 1], &own[i]) != 0)
			own[kept++] = own[i];
	ret->own = own;
	ret->nown = kept;
	return 0;
}

static bool same_addresses(const struct kd_address_term *a, const struct kd_address_term *b)
{
	if (a->nown != b->nown || !tags_within(a, b) || !tags_within(b, a))
		return false;
	for (unsigned int i = 0; i < a->nown; i++)
		if (prefix_order(&a->own[i], &b->own[i]) != 0)
			return false;
	return true;
}

int kd_sets_addresses(
	struct kd_sets *s, const struct kd_address_term *term, const struct kd_at *at, uint16_t *ret)
{
	struct kd_address_term mine;
	int rc = ordered(s, term, &mine);

	if (rc < 0)
		return rc;
	for (unsigned int i = 1; i <= s->nprefixes; i++) {
		if (!s->prefixes[i].of_pairs && same_addresses(&s->prefixes[i].term, &mine)) {
			*ret = (uint16_t)i;
			return 0;
		}
	}
	rc = kd_sets_room(s, s->nprefixes, "address", at);
	if (rc < 0)
		return rc;
	s->prefixes[++s->nprefixes].term = mine;
	*ret = (uint16_t)s->nprefixes;
	return 0;
}

static int add_names(struct kd_names_builder *b, const struct kd_name *names, unsigned int count,
	unsigned int set, unsigned int *n)
{
	for (unsigned int i = 0; i < count; i++) {
		int rc;

		if (names[i].host == NULL)
			continue;
		rc = kd_names_add(b, names[i].host, strlen(names[i].host), names[i].what, set);
		if (rc < 0)
			return rc;
		(*n)++;
	}
	return 0;
}

static int add_set(struct kd_names_builder *b, const struct kd_sets *s, unsigned int set, unsigned int *n)
{
	const struct kd_name_source *from = &s->names[set];
	int rc = 0;

	for (unsigned int i = 0; i < from->npaired && rc == 0; i++)
		rc = add_names(b, from->paired[i], 1, set, n);
	if (from->term == NULL || rc < 0)
		return rc;
	rc = add_names(b, from->term->own.names, from->term->own.count, set, n);
	for (unsigned int i = 0; i < from->term->nlists && rc == 0; i++)
		rc = add_names(b, from->term->lists[i]->names, from->term->lists[i]->count, set, n);
	return rc;
}

static int build_names(struct kd_sets *s)
{
	struct kd_names_builder *builder = kd_names_builder_new();
	struct kd_names *unused = NULL;
	unsigned int n = 0;
	int rc = 0;

	if (builder == NULL)
		return -ENOMEM;
	for (unsigned int set = 1; set <= s->nnames && rc == 0; set++)
		rc = add_set(builder, s, set, &n);
	if (rc == 0 && n > 0)
		return kd_names_build(&s->policy->names, builder);
	/* There is no other way to free a builder than to build it. */
	if (kd_names_build(&unused, builder) == 0)
		kd_names_free(unused);
	return rc;
}

struct exprs {
	const char **text;
	uint16_t *set;
	unsigned int n;
};

static int add_exprs(
	struct kd_sets *s, struct exprs *e, const struct kd_name *names, unsigned int count, unsigned int set)
{
	for (unsigned int i = 0; i < count; i++) {
		if (names[i].expr == NULL)
			continue;
		e->text = kd_arena_grow(s->scratch, e->text, e->n, sizeof(*e->text));
		e->set = kd_arena_grow(s->scratch, e->set, e->n, sizeof(*e->set));
		if (e->text == NULL || e->set == NULL)
			return -ENOMEM;
		e->text[e->n] = names[i].expr;
		e->set[e->n++] = (uint16_t)set;
	}
	return 0;
}

static int build_patterns(struct kd_sets *s)
{
	struct exprs e = {0};
	int rc = 0;

	for (unsigned int set = 1; set <= s->nnames && rc == 0; set++) {
		const struct kd_name_source *from = &s->names[set];

		for (unsigned int i = 0; i < from->npaired && rc == 0; i++)
			rc = add_exprs(s, &e, from->paired[i], 1, set);
		if (from->term == NULL || rc < 0)
			continue;
		rc = add_exprs(s, &e, from->term->own.names, from->term->own.count, set);
		for (unsigned int i = 0; i < from->term->nlists && rc == 0; i++)
			rc = add_exprs(s, &e, from->term->lists[i]->names, from->term->lists[i]->count, set);
	}
	if (rc < 0)
		return rc;
	return kd_sets_patterns(
		s->book, &s->policy->name_patterns, KD_PATTERN_NAMES, e.text, e.set, e.n, s->policy->profile);
}

int kd_sets_patterns(const struct kd_book *book, struct kd_patterns **ret, unsigned int kind,
	const char *const *exprs, const uint16_t *ids, unsigned int n, const char *profile)
{
	unsigned int bad = 0;
	char *why = NULL;
	int rc;

	if (n == 0)
		return 0;
	rc = kd_patterns_new(ret, kind, exprs, ids, n, &bad, &why);
	if (rc == -EINVAL)
		kd_diag(book->diags, KD_DIAG_ERROR, NULL, 0, profile, why, "\"%.80s\" does not compile",
			bad < n ? exprs[bad] : "?");
	free(why);
	return rc;
}

static int add_prefixes(
	struct kd_prefixes_builder *b, const struct kd_prefix *p, unsigned int count, unsigned int set)
{
	int rc = 0;

	for (unsigned int i = 0; i < count && rc == 0; i++)
		rc = kd_prefixes_add(b, p[i].addr, p[i].v6, p[i].bits, set);
	return rc;
}

static int add_tag(const struct kd_sets *s, struct kd_prefixes_builder *b, const struct kd_book_tag *tag,
	unsigned int set)
{
	int rc = add_prefixes(b, tag->lab, tag->nlab, set);

	if (rc == 0 && s->real && tag->real != NULL)
		rc = add_prefixes(b, tag->real->prefixes, tag->real->count, set);
	return rc;
}

static int build_prefixes(struct kd_sets *s)
{
	struct kd_prefixes_builder *builder;
	struct kd_prefixes *built = NULL;
	int rc = 0, built_rc;

	if (s->nprefixes == 0)
		return 0;
	builder = kd_prefixes_builder_new();
	if (builder == NULL)
		return -ENOMEM;
	for (unsigned int set = 1; set <= s->nprefixes && rc == 0; set++) {
		const struct kd_address_term *term = &s->prefixes[set].term;

		rc = add_prefixes(builder, term->own, term->nown, set);
		for (unsigned int i = 0; i < term->ntags && rc == 0; i++)
			rc = add_tag(s, builder, term->tags[i], set);
	}
	/* There is no other way to free a builder than to build it. */
	built_rc = kd_prefixes_build(&built, builder);
	if (built_rc == 0 && rc < 0) {
		kd_prefixes_free(built);
		return rc;
	}
	if (built_rc == -E2BIG) {
		kd_diag(s->book->diags, KD_DIAG_ERROR, NULL, 0, s->policy->profile,
			"tags and lists that do not overlap need fewer",
			"the prefixes in force overlap in more than 65535 ways");
		return -EINVAL;
	}
	s->policy->prefixes = built;
	return built_rc;
}

static int build(struct kd_sets *s)
{
	int rc = kd_lists_open(s->book);

	if (rc == 0)
		rc = build_names(s);
	if (rc == 0)
		rc = build_patterns(s);
	if (rc == 0)
		rc = build_prefixes(s);
	return rc;
}

int kd_sets_build(struct kd_sets *s)
{
	unsigned int errors = s->book->diags->errors;
	char key[KD_CACHE_KEY];
	int rc;

	if (!kd_frozen_worth(s))
		return build(s);
	rc = kd_frozen_key(key, s);
	if (rc < 0)
		return rc;
	rc = kd_frozen_load(s, key);
	if (rc != -ENOENT)
		return rc;
	rc = build(s);
	if (rc == 0 && s->book->diags->errors == errors)
		kd_frozen_store(s, key);
	return rc;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lists of pairs: a name and the prefixes it may be found at. A set a name would soon be too many, so names
 * that have the very same prefixes form a group with one set of names and one of prefixes. Lists that fall
 * into too many groups are refused rather than cut.
 */
#include "rulebook/sets_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define GROUPS_MAX 200 /* of KD_NAME_SETS: the rest is for the terms of rules */

/* A name of the list with its rows, which are in order of prefix and without doubles. */
struct row {
	const struct kd_pair **pairs;
	unsigned int n;
};

static int by_name(const void *a, const void *b)
{
	const struct kd_pair *x = *(const struct kd_pair *const *)a, *y = *(const struct kd_pair *const *)b;
	int order = strcmp(x->name.text, y->name.text);

	return order != 0 ? order : kd_sets_prefix_order(&x->prefix, &y->prefix);
}

static int by_prefixes(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	if (x->n != y->n)
		return x->n < y->n ? -1 : 1;
	for (unsigned int i = 0; i < x->n; i++) {
		int order = kd_sets_prefix_order(&x->pairs[i]->prefix, &y->pairs[i]->prefix);

		if (order != 0)
			return order;
	}
	return 0;
}

/* The list by name; *ret_n of them. NULL: no memory. */
static struct row *rows_of(struct kd_sets *s, const struct kd_list *list, unsigned int *ret_n)
{
	const struct kd_pair **pairs = kd_arena_alloc(s->scratch, list->count * sizeof(*pairs));
	struct row *rows = kd_arena_alloc(s->scratch, list->count * sizeof(*rows));
	unsigned int kept = 0, n = 0;

	if (pairs == NULL || rows == NULL)
		return NULL;
	for (unsigned int i = 0; i < list->count; i++)
		pairs[i] = &list->pairs[i];
	qsort(pairs, list->count, sizeof(*pairs), by_name);
	for (unsigned int i = 0; i < list->count; i++) {
		if (kept > 0 && by_name(&pairs[kept - 1], &pairs[i]) == 0)
			continue;
		pairs[kept] = pairs[i];
		if (n == 0 || strcmp(rows[n - 1].pairs[0]->name.text, pairs[kept]->name.text) != 0)
			rows[n++].pairs = &pairs[kept];
		rows[n - 1].n++;
		kept++;
	}
	qsort(rows, n, sizeof(*rows), by_prefixes);
	*ret_n = n;
	return rows;
}

/* The sets of the group rows[0..n). */
static int group(struct kd_sets *s, const struct row *rows, unsigned int n, const struct kd_at *at,
	struct kd_pairing *ret)
{
	const struct kd_name **names = kd_arena_alloc(s->scratch, n * sizeof(*names));
	struct kd_prefix *prefixes = kd_arena_alloc(s->scratch, rows->n * sizeof(*prefixes));
	int rc;

	if (names == NULL || prefixes == NULL)
		return -ENOMEM;
	rc = kd_sets_room(s, s->nnames, "name", at);
	if (rc == 0)
		rc = kd_sets_room(s, s->nprefixes, "address", at);
	if (rc < 0)
		return rc;
	for (unsigned int i = 0; i < n; i++)
		names[i] = &rows[i].pairs[0]->name;
	for (unsigned int i = 0; i < rows->n; i++)
		prefixes[i] = rows->pairs[i]->prefix;
	s->names[++s->nnames] = (struct kd_name_source){.paired = names, .npaired = n};
	s->prefixes[++s->nprefixes] =
		(struct kd_prefix_source){.term = {.own = prefixes, .nown = rows->n}, .of_pairs = true};
	ret->name_set = (uint16_t)s->nnames;
	ret->prefix_set = (uint16_t)s->nprefixes;
	return 0;
}

static int groups(
	struct kd_sets *s, const struct kd_list *list, const struct kd_at *at, struct kd_pair_source *ret)
{
	unsigned int nrows = 0, n = 0, last;
	struct row *rows = rows_of(s, list, &nrows);
	struct kd_pairing *pairings;
	int rc = 0;

	if (rows == NULL)
		return -ENOMEM;
	for (unsigned int i = 0; i < nrows; i++)
		n += i == 0 || by_prefixes(&rows[i - 1], &rows[i]) != 0;
	if (n > GROUPS_MAX) {
		kd_diag(s->book->diags, KD_DIAG_ERROR, at->file, at->line, at->path,
			"names that have the very same prefixes count as one",
			"the names of \"@%s\" have %u different sets of prefixes, %d at most", list->name, n,
			GROUPS_MAX);
		return -EINVAL;
	}
	pairings = kd_arena_alloc(s->policy->arena, n * sizeof(*pairings));
	if (pairings == NULL)
		return -ENOMEM;
	n = 0;
	for (unsigned int i = 0; i < nrows && rc == 0; i = last) {
		for (last = i + 1; last < nrows && by_prefixes(&rows[i], &rows[last]) == 0;)
			last++;
		rc = group(s, &rows[i], last - i, at, &pairings[n]);
		n++;
	}
	*ret = (struct kd_pair_source){.list = list, .pairings = pairings, .n = (uint16_t)n};
	return rc;
}

int kd_sets_pairs(struct kd_sets *s, const struct kd_list *list, const struct kd_at *at,
	const struct kd_pairing **ret, uint16_t *ret_n)
{
	struct kd_pair_source p = {.list = list};
	int rc;

	for (unsigned int i = 0; i < s->npairs; i++) {
		if (s->pairs[i].list == list) {
			*ret = s->pairs[i].pairings;
			*ret_n = s->pairs[i].n;
			return 0;
		}
	}
	rc = list->count > 0 ? groups(s, list, at, &p) : 0;
	if (rc < 0)
		return rc;
	s->pairs = kd_arena_grow(s->scratch, s->pairs, s->npairs, sizeof(p));
	if (s->pairs == NULL)
		return -ENOMEM;
	s->pairs[s->npairs++] = p;
	*ret = p.pairings;
	*ret_n = p.n;
	return 0;
}

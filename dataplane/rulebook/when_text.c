/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Writes a `when` as one line. What differs in meaning differs in the line; what is only written in another
 * order or spelling does not: members of all and any are sorted and doubles left out, and a group in a group
 * of its kind is unfolded. Groups that ask the same by other terms are not found out.
 */
#include "rulebook/when_line.h"

#include <stdlib.h>
#include <string.h>

/* A member of all or any. */
struct member {
	unsigned int rank;
	char *text;
};

struct members {
	struct member *list;
	unsigned int n;
	bool failed;
};

static char *line_of(const struct kd_when *w);

bool kd_line_open(struct kd_line *o)
{
	*o = (struct kd_line){0};
	o->f = open_memstream(&o->text, &o->len);
	return o->f != NULL;
}

char *kd_line_close(struct kd_line *o)
{
	o->failed = ferror(o->f) != 0 || o->failed;
	if (fclose(o->f) == 0 && !o->failed)
		return o->text;
	free(o->text);
	return NULL;
}

/* Terms stand in the order people speak of them: what it is, whose, to whom, then details; groups last. */
static unsigned int rank_of(const struct kd_when *w)
{
	static const uint8_t order[] = {KD_TERM_PROTOCOL, KD_TERM_TRANSPORT, KD_TERM_OPENED, KD_TERM_FROM,
		KD_TERM_NAME, KD_TERM_FIELD, KD_TERM_NEVER, KD_TERM_SIGNATURE, KD_TERM_ADDRESS, KD_TERM_PORT,
		KD_TERM_PAIRS, KD_TERM_LENGTH, KD_TERM_BYTES, KD_TERM_NTH, KD_TERM_CLASSIFIED,
		KD_TERM_ALREADY, KD_TERM_COUNT, KD_TERM_HOURS, KD_TERM_FAKE};
	unsigned int n = 0;

	_Static_assert(sizeof(order) == KD_TERM_KINDS, "every kind of term has its place");
	if (w->kind != KD_WHEN_TERM)
		return KD_TERM_KINDS + w->kind;
	while (n < KD_TERM_KINDS && order[n] != w->term)
		n++;
	return n;
}

/* "protocol=tls sni=..." asks no more than "sni=...": a name or a field is of its protocols already. */
static bool implied(const struct kd_when *first, const struct kd_when *w)
{
	if (w->kind != KD_WHEN_TERM || w->term != KD_TERM_PROTOCOL ||
		w->nwords != (unsigned int)__builtin_popcountll(w->mask))
		return false;
	for (; first != NULL; first = first->next)
		if (first->kind == KD_WHEN_TERM && first->term == KD_TERM_NAME &&
			(first->mask & ~w->mask) == 0)
			return true;
	return false;
}

static void collect(struct members *l, unsigned int kind, const struct kd_when *child)
{
	const struct kd_when *first = child;
	struct member *more;

	for (; child != NULL && !l->failed; child = child->next) {
		if (kind == KD_WHEN_ALL && implied(first, child))
			continue;
		if (child->kind == kind) {
			collect(l, kind, child->child);
			continue;
		}
		more = realloc(l->list, (l->n + 1) * sizeof(*more));
		if (more == NULL) {
			l->failed = true;
			return;
		}
		l->list = more;
		more[l->n] = (struct member){rank_of(child), line_of(child)};
		if (more[l->n].text == NULL)
			l->failed = true;
		else
			l->n++;
	}
}

static int by_rank(const void *a, const void *b)
{
	const struct member *x = a, *y = b;

	return x->rank != y->rank ? (x->rank > y->rank) - (x->rank < y->rank) : strcmp(x->text, y->text);
}

/* Sorted, doubles gone; how many are left. */
static unsigned int tidy(struct members *l)
{
	unsigned int kept = 0;

	if (l->n == 0)
		return 0;
	qsort(l->list, l->n, sizeof(*l->list), by_rank);
	for (unsigned int i = 1; i < l->n; i++) {
		if (strcmp(l->list[kept].text, l->list[i].text) == 0)
			free(l->list[i].text);
		else
			l->list[++kept] = l->list[i];
	}
	return kept + 1;
}

static void put_members(struct kd_line *o, const struct kd_when *w)
{
	struct members l = {0};
	bool any;

	collect(&l, w->kind, w->child);
	l.n = tidy(&l);
	any = w->kind == KD_WHEN_ANY && l.n != 1;
	fputs(any ? "any(" : "", o->f);
	for (unsigned int i = 0; i < l.n; i++) {
		fprintf(o->f, "%s%s", i == 0 ? "" : any ? " | " : " ", l.list[i].text);
		free(l.list[i].text);
	}
	fputs(any ? ")" : "", o->f);
	free(l.list);
	o->failed = o->failed || l.failed;
}

/* On the heap; NULL: no memory. */
static char *line_of(const struct kd_when *w)
{
	struct kd_line o;
	char *inside;

	if (!kd_line_open(&o))
		return NULL;
	if (w->kind == KD_WHEN_TERM) {
		kd_line_term(&o, w);
	} else if (w->kind == KD_WHEN_NOT) {
		inside = w->child != NULL ? line_of(w->child) : NULL;
		o.failed = o.failed || (w->child != NULL && inside == NULL);
		fprintf(o.f, "not(%s)", inside != NULL ? inside : "");
		free(inside);
	} else {
		put_members(&o, w);
	}
	return kd_line_close(&o);
}

const char *kd_when_text(struct kd_arena *arena, const struct kd_when *when)
{
	char *line;
	const char *kept;

	if (when == NULL)
		return "";
	line = line_of(when);
	if (line == NULL)
		return NULL;
	kept = kd_arena_strdup(arena, line);
	free(line);
	return kept;
}

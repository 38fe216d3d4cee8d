/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Collects the values of knobs from the entries of a book and from the defaults. A default is attested on the
 * days that no entry for all flows everywhere gives another value. What an entry still waits for does not
 * matter here, and whether a value would change anything is for a run to find out.
 */
#include "rulebook/attested.h"

#include <errno.h>
#include <string.h>

#include "engine/knob.h"

/* A value of a knob under collection. */
struct value {
	struct kd_arena *arena;
	const struct kd_book *book;
	unsigned int knob, index;
	const char *word;
	size_t word_len;
};

static bool gives(const struct value *v, const struct kd_book_knob *k, bool *ret_other)
{
	bool found = false;

	*ret_other = false;
	if (strcmp(k->name, kd_knob_rows[v->knob].name) != 0)
		return false;
	for (unsigned int i = 0; i < k->nvalues; i++) {
		bool same = strlen(k->values[i]) == v->word_len &&
			    memcmp(k->values[i], v->word, v->word_len) == 0;

		found |= same;
		*ret_other |= !same;
	}
	return found;
}

/* For every flow, wherever it runs. */
static bool is_for_all(const struct kd_book_knob *k)
{
	const struct kd_scope *s = &k->scope;

	return k->share.text == NULL && k->flap.text == NULL && k->protocols == 0 && k->to == NULL &&
	       k->pending == NULL && s->networks == (1u << KD_NETWORK_COUNT) - 1 && s->isps == 0 &&
	       s->regions == 0 && s->states == 0 && s->boxes == 0;
}

/* The entry that next takes the default's place, after the day `after`; NULL = none. */
static const struct kd_book_knob *next_other(const struct value *v, int32_t after)
{
	const struct kd_book_knob *next = NULL;
	bool other;

	for (unsigned int i = 0; i < v->book->nknobs; i++) {
		const struct kd_book_knob *k = &v->book->knobs[i];

		if (gives(v, k, &other) || !other || !is_for_all(k) || k->scope.until.last <= after)
			continue;
		if (next == NULL || k->scope.since.first < next->scope.since.first)
			next = k;
	}
	return next;
}

static const char *joined(const struct value *v, const char *a, const char *b)
{
	if (a == NULL || b == NULL)
		return NULL;
	return a[0] == '\0' ? b : b[0] == '\0' ? a : kd_arena_printf(v->arena, "%s, %s", a, b);
}

/* "since A until B"; NULL = open. */
static const char *span(const struct value *v, const char *since, const char *until)
{
	if (since == NULL && until == NULL)
		return "";
	if (since == NULL || until == NULL)
		return kd_arena_printf(
			v->arena, "%s %s", since != NULL ? "since" : "until", since != NULL ? since : until);
	return kd_arena_printf(v->arena, "since %s until %s", since, until);
}

/* Up to where a range of days begins: "2024-08" of "2024-08..2024-10". */
static const char *begin_of(const struct value *v, const char *days)
{
	const char *dots = strstr(days, "..");

	return dots != NULL ? kd_arena_strndup(v->arena, days, (size_t)(dots - days)) : days;
}

static const char *default_dates(const struct value *v)
{
	const char *dates = "", *since = NULL;
	int32_t day = INT32_MIN;

	for (const struct kd_book_knob *k; (k = next_other(v, day)) != NULL && dates != NULL;) {
		if (k->scope.since.first > day)
			dates = joined(v, dates, span(v, since, begin_of(v, k->scope.since_text)));
		if (k->scope.until_text == NULL)
			return dates;
		since = k->scope.until_text;
		day = k->scope.until.last;
	}
	return since == NULL ? dates : joined(v, dates, span(v, since, NULL));
}

/* Of the whole that a value does; where that has no evidence, of the first part that has. */
static void evidence(const struct kd_evidence *e, struct kd_attested *ret)
{
	unsigned int part = KD_PART_THEN;

	for (unsigned int i = 0; e->grade[part] == KD_GRADE_COUNT && i < KD_PART_COUNT; i++)
		if (e->grade[i] != KD_GRADE_COUNT)
			part = i;
	if (e->grade[part] == KD_GRADE_COUNT)
		return;
	ret->grade = kd_grade_name(e->grade[part]);
	ret->claims = e->claims[part] != NULL ? e->claims[part] : "";
}

static void default_evidence(const struct value *v, struct kd_attested *ret)
{
	const char *id = kd_knob_rows[v->knob].claim;
	const struct kd_claim *claim = kd_book_claim(v->book, id, strlen(id));

	if (claim == NULL)
		return;
	ret->grade = kd_grade_name(claim->grade);
	ret->claims = claim->id;
}

/* 1 = somebody gives it, 0 = nobody. */
static int attest(const struct value *v, bool is_default, struct kd_attested *ret)
{
	bool found = is_default, entry = false, other;

	*ret = (struct kd_attested){.knob = (uint8_t)v->knob,
		.value = (uint8_t)v->index,
		.word = kd_arena_strndup(v->arena, v->word, v->word_len),
		.dates = "",
		.grade = kd_grade_name(KD_GRADE_ASSUMED),
		.claims = ""};
	if (is_default) {
		default_evidence(v, ret);
		ret->dates = default_dates(v);
	}
	for (unsigned int i = 0; i < v->book->nknobs; i++) {
		const struct kd_book_knob *k = &v->book->knobs[i];

		if (!gives(v, k, &other))
			continue;
		if (!entry && !is_default)
			evidence(&k->evidence, ret);
		if (!is_default)
			ret->dates = joined(v, ret->dates, span(v, k->scope.since_text, k->scope.until_text));
		entry = found = true;
	}
	if (ret->word == NULL || ret->dates == NULL)
		return -ENOMEM;
	if (ret->claims[0] != '\0') {
		ret->claims = kd_arena_strdup(v->arena, ret->claims);
		if (ret->claims == NULL)
			return -ENOMEM;
	}
	return found;
}

static int add(
	struct kd_arena *arena, struct kd_attested **list, unsigned int *n, const struct kd_attested *a)
{
	*list = kd_arena_grow(arena, *list, *n, sizeof(*a));
	if (*list == NULL)
		return -ENOMEM;
	(*list)[(*n)++] = *a;
	return 0;
}

int kd_attested_list(
	struct kd_arena *arena, const struct kd_book *book, struct kd_attested **ret, unsigned int *ret_n)
{
	struct kd_attested *list = NULL, one;
	unsigned int n = 0;

	for (unsigned int knob = 0; knob < KD_KNOB_COUNT; knob++) {
		const struct kd_knob_row *row = &kd_knob_rows[knob];
		const char *word = row->values;

		for (unsigned int i = 0; *word != '\0'; i++) {
			struct value v = {arena, book, knob, i, word, strcspn(word, "|")};
			bool is_default =
				strlen(row->deflt) == v.word_len && memcmp(row->deflt, word, v.word_len) == 0;
			int rc = attest(&v, is_default, &one);

			if (rc > 0)
				rc = add(arena, &list, &n, &one);
			if (rc < 0)
				return rc;
			word += v.word_len;
			word += *word == '|';
		}
	}
	*ret = list;
	*ret_n = n;
	return 0;
}

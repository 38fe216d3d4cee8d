/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What `kordon list profiles` says: the days on which anything of the rulebook starts or ends, and what. It
 * reads dates only; what is in force between two of them is the query's to find.
 */
#include "cmd/list.h"

#include <errno.h>
#include <stdlib.h>

#include "cmd/table.h"
#include "cmd/words.h"

static int by_day(const void *a, const void *b)
{
	int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;

	return x < y ? -1 : x > y;
}

/* The first day that the rulebook does not cover; INT32_MAX when it does not say. */
static int32_t uncovered(const struct kd_list_view *v)
{
	const struct kd_coverage *c = &v->book->coverage;

	return c->at.file != NULL && c->until < INT32_MAX ? c->until + 1 : INT32_MAX;
}

/* Everything that starts or ends: name and dates of entry i, in the order of the book; false behind the last.
 */
static bool dated(
	const struct kd_book *book, unsigned int i, const char **name, const struct kd_scope **scope)
{
	if (i < book->nrules) {
		*name = book->rules[i].id;
		*scope = &book->rules[i].scope;
		return true;
	}
	i -= book->nrules;
	if (i < book->nknobs) {
		*name = book->knobs[i].name;
		*scope = &book->knobs[i].scope;
		return true;
	}
	i -= book->nknobs;
	if (i < book->nsettings) {
		*name = kd_setting_name(&book->settings[i]);
		*scope = &book->settings[i].scope;
		return true;
	}
	i -= book->nsettings;
	if (i < book->npaths) {
		*name = book->paths[i].id;
		*scope = &book->paths[i].scope;
		return true;
	}
	i -= book->npaths;
	if (i >= book->nstates)
		return false;
	*name = book->states[i].id;
	*scope = &book->states[i].scope;
	return true;
}

/* What starts (+) and ends (-) on a day: rules, knobs, settings, paths, states. */
static const char *changes(const struct kd_list_view *v, int32_t day)
{
	const struct kd_scope *scope;
	const char *text = "", *name;

	if (day == uncovered(v))
		text = kd_arena_printf(
			v->arena, "(not modelled from here on: %s)", v->book->coverage.missing);
	for (unsigned int i = 0; text != NULL && dated(v->book, i, &name, &scope); i++)
		if (scope->since.last == day || scope->until.last == day)
			text = kd_arena_printf(v->arena, "%s%s%c%s", text, text[0] != '\0' ? " " : "",
				scope->since.last == day ? '+' : '-', name);
	return text;
}

int kd_list_profiles(const struct kd_list_view *v)
{
	struct kd_table t = {.arena = v->arena, .heads = {"profile", "changes"}, .columns = 2};
	const struct kd_scope *scope;
	unsigned int n = 2, entries = 0;
	const char *name;
	int32_t *days;
	int rc;

	while (dated(v->book, entries, &name, &scope))
		entries++;
	days = kd_arena_alloc(v->arena, (2 + 2 * (size_t)entries) * sizeof(*days));
	if (days == NULL)
		return -ENOMEM;
	days[0] = KD_FIRST_DAY;
	days[1] = uncovered(v);
	for (unsigned int i = 0; dated(v->book, i, &name, &scope); i++) {
		days[n++] = scope->since.last;
		days[n++] = scope->until.last;
	}
	qsort(days, n, sizeof(*days), by_day);
	rc = kd_table_row(&t, (const char *[KD_TABLE_COLUMNS]){"null", "no rules"});
	for (unsigned int i = 0; i < n && rc == 0; i++) {
		char day[KD_DAY_TEXT];

		if (days[i] < KD_FIRST_DAY || days[i] == INT32_MAX || (i > 0 && days[i] == days[i - 1]))
			continue;
		kd_day_text(day, days[i]);
		rc = kd_table_row(
			&t, (const char *[KD_TABLE_COLUMNS]){
				    kd_arena_printf(v->arena, "tspu@%s", day), changes(v, days[i])});
	}
	return rc == 0 ? kd_table_print(&t, v->json, stdout) : rc;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Loads a whole rulebook: all files, then claims, signatures, rules and settings in that order, because the
 * later ones name the earlier. It does not stop at an error: a user wants all of them.
 */
#include "rulebook/book.h"

#include "rulebook/claims.h"
#include "rulebook/schema.h"
#include "rulebook/source.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void sources(struct kd_book *book, struct kd_source **list)
{
	struct kd_source **tail = list;
	const char *claims = kd_arena_printf(book->arena, "%s/claims.cfg", book->dir);
	const char *signatures = kd_arena_printf(book->arena, "%s/signatures", book->dir);
	const char *rulebook = kd_arena_printf(book->arena, "%s/rulebook", book->dir);

	if (claims == NULL || signatures == NULL || rulebook == NULL) {
		book->no_memory = true;
		return;
	}
	if (access(claims, F_OK) == 0)
		kd_source_file(book, claims, &tail);
	kd_source_folder(book, signatures, false, &tail);
	if (book->own != NULL)
		kd_source_file(book, book->own, &tail);
	else
		kd_source_folder(book, rulebook, true, &tail);
}

static void coverage(struct kd_book *book, const config_setting_t *root)
{
	static const struct kd_key keys[] = {{"until", KD_TYPE_STRING, true},
		{"missing", KD_TYPE_STRING, true}, {"evidence", KD_TYPE_GROUP, true}, {NULL, 0, false}};
	const config_setting_t *group = kd_schema_get(root, "coverage", KD_TYPE_GROUP), *until;
	struct kd_coverage c = {.until = INT32_MAX};
	const char *missing;
	struct kd_fault fault;
	struct kd_dates dates;
	char hint[400];

	if (group == NULL)
		return;
	kd_schema_check(book, group, keys);
	kd_evidence_read(book, group, &c.evidence);
	if (book->own != NULL) {
		kd_schema_warn(
			book, group, "no day is asked of it", "\"coverage\" has no effect in a profile file");
		return;
	}
	if (kd_schema_get(group, "evidence", KD_TYPE_GROUP) != NULL && !c.evidence.real[KD_PART_DATE])
		kd_schema_error(book, group, "expected evidence = { date = [ ... ]; }",
			"a coverage without a claim for \"date\"");
	until = kd_schema_get(group, "until", KD_TYPE_STRING);
	if (until != NULL) {
		const char *text = config_setting_get_string(until);

		if (kd_dates_parse(&dates, text, strlen(text), &fault) < 0)
			kd_schema_fault(book, until, &fault);
		else
			c.until = dates.last;
	}
	missing = kd_schema_string(group, "missing");
	c.missing = kd_schema_keep(book, missing != NULL ? missing : "");
	c.at = kd_schema_at(book, group);
	if (book->coverage.at.file != NULL) {
		snprintf(
			hint, sizeof(hint), "first at %s:%d", book->coverage.at.file, book->coverage.at.line);
		kd_schema_error(book, group, hint, "a second \"coverage\"");
		return;
	}
	book->coverage = c;
}

static void read_all(struct kd_book *book, struct kd_source *list)
{
	static const struct kd_key keys[] = {{"rules", KD_TYPE_GROUPS, false},
		{"settings", KD_TYPE_GROUPS, false}, {"claims", KD_TYPE_GROUPS, false},
		{"signatures", KD_TYPE_GROUPS, false}, {"coverage", KD_TYPE_GROUP, false}, {NULL, 0, false}};
	static void (*const readers[])(struct kd_book *, const config_setting_t *) = {
		kd_claims_read, kd_signatures_read, kd_rules_read, kd_settings_read, coverage};

	for (struct kd_source *s = list; s != NULL; s = s->next) {
		book->reading = s->path;
		kd_schema_check(book, config_root_setting(&s->config), keys);
	}
	for (unsigned int i = 0; i < sizeof(readers) / sizeof(readers[0]); i++) {
		for (struct kd_source *s = list; s != NULL && !book->no_memory; s = s->next) {
			book->reading = s->path;
			readers[i](book, config_root_setting(&s->config));
		}
	}
	book->reading = NULL;
}

int kd_book_load(struct kd_book **ret, const char *dir, const char *file, struct kd_diags *diags)
{
	struct kd_book *book = calloc(1, sizeof(*book));
	struct kd_source *list = NULL;

	if (book == NULL)
		return -ENOMEM;
	book->arena = kd_arena_new();
	if (book->arena == NULL) {
		free(book);
		return -ENOMEM;
	}
	book->diags = diags;
	book->dir = kd_schema_keep(book, dir);
	book->own = file != NULL ? kd_schema_keep(book, file) : NULL;
	if (!book->no_memory)
		sources(book, &list);
	if (!book->no_memory)
		read_all(book, list);
	if (!book->no_memory)
		kd_book_lint(book);
	kd_sources_free(list);
	if (book->no_memory) {
		kd_book_free(book);
		return -ENOMEM;
	}
	*ret = book;
	return 0;
}

void kd_book_free(struct kd_book *book)
{
	if (book == NULL)
		return;
	kd_arena_free(book->arena);
	free(book);
}

bool kd_book_in_force(const struct kd_book *book, const struct kd_scope *scope, const struct kd_query *query)
{
	if (book->own != NULL || query == NULL)
		return true;
	return scope->since <= query->day && query->day < scope->until &&
	       (scope->networks >> query->network & 1) != 0;
}

/* What passes on a day nobody described is the one wrong answer that looks like good news. */
static void warn_of_day(const struct kd_book *book, const char *profile, int32_t day)
{
	bool newer = book->nclaims > 0 && day > kd_book_newest(book);
	char until[KD_DAY_TEXT], newest[KD_DAY_TEXT];
	const char *hint;

	kd_day_text(newest, kd_book_newest(book));
	if (book->coverage.at.file == NULL || day <= book->coverage.until) {
		if (newer)
			kd_diag(book->diags, KD_DIAG_WARNING, NULL, 0, profile, NULL,
				"the newest claim is of %s: what changed after it is not known here", newest);
		return;
	}
	kd_day_text(until, book->coverage.until);
	hint = kd_arena_printf(book->arena, "missing: %s%s%s", book->coverage.missing,
		newer ? "; and whatever came after the newest claim, which is of " : "", newer ? newest : "");
	kd_diag(book->diags, KD_DIAG_WARNING, NULL, 0, profile, hint,
		"much of what came after %s is not modelled: what passes here may not have passed then",
		until);
}

char *kd_book_query(const struct kd_book *book, const char *profile, struct kd_query *query)
{
	char day[KD_DAY_TEXT], name[64];
	struct kd_fault fault;

	if (kd_query_parse(query, profile, strlen(profile), &fault) < 0) {
		kd_diag(book->diags, KD_DIAG_ERROR, NULL, 0, profile,
			fault.hint[0] != '\0' ? fault.hint : NULL, "%s", fault.message);
		return NULL;
	}
	kd_day_text(day, query->day);
	warn_of_day(book, profile, query->day);
	snprintf(name, sizeof(name), "tspu@%s/%s", day, kd_network_name(query->network));
	return strdup(name);
}

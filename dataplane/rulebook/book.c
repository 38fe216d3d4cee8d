/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Loads a whole rulebook: all files, then one kind of entry after the other, because the later ones name the
 * earlier. It does not stop at an error: a user wants all of them. Answers which entries a query has in
 * force, and what is to be said of a query.
 */
#include "rulebook/book.h"

#include "rulebook/bib.h"
#include "rulebook/claims.h"
#include "rulebook/place.h"
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
		{"settings", KD_TYPE_GROUPS, false}, {"knobs", KD_TYPE_GROUPS, false},
		{"boxes", KD_TYPE_GROUPS, false}, {"paths", KD_TYPE_GROUPS, false},
		{"isps", KD_TYPE_GROUPS, false}, {"regions", KD_TYPE_GROUPS, false},
		{"states", KD_TYPE_GROUPS, false}, {"tags", KD_TYPE_GROUP, false},
		{"claims", KD_TYPE_GROUPS, false}, {"signatures", KD_TYPE_GROUPS, false},
		{"coverage", KD_TYPE_GROUP, false}, {NULL, 0, false}};
	static void (*const readers[])(struct kd_book *, const config_setting_t *) = {kd_claims_read,
		kd_places_read, kd_boxes_read, kd_paths_read, kd_tags_read, kd_signatures_read,
		kd_settings_read, kd_knobs_read, kd_rules_read, coverage};

	kd_bib_read(book);
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
	return kd_book_load_cached(ret, dir, file, NULL, diags);
}

int kd_book_load_cached(
	struct kd_book **ret, const char *dir, const char *file, const char *cache, struct kd_diags *diags)
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
	book->cache = cache != NULL ? kd_schema_keep(book, cache) : NULL;
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

/* An end of a scope: what is written, or the day a sampled box drew for it. */
static int32_t end_of(const struct kd_dates *dates, const char *draw, const struct kd_query *query)
{
	const struct kd_sample sample = {.seed = query->seed, .number = query->sample};

	if (query->sample == 0 || draw == NULL || dates->first == dates->last)
		return dates->last;
	return kd_sample_day(&sample, draw, dates);
}

/* mask 0: not limited. index: from 1, 0 = the query names none. */
static bool among(uint64_t mask, unsigned int index)
{
	return mask == 0 || (index > 0 && (mask >> (index - 1) & 1) != 0);
}

/* Whether the box that the query is about is one of the mask's. */
static bool among_boxes(const struct kd_book *book, uint64_t mask, const struct kd_query *query)
{
	struct kd_path_boxes path;

	if (mask == 0)
		return true;
	kd_path_of(book, query, &path);
	for (unsigned int i = 0; i < book->nboxes && query->box < path.n; i++)
		if (path.box[query->box] == &book->boxes[i])
			return (mask >> i & 1) != 0;
	return false;
}

bool kd_book_in_force(const struct kd_book *book, const struct kd_scope *scope, const char *draw,
	const struct kd_query *query)
{
	if (query == NULL)
		return true;
	if (book->own != NULL) /* has no days and no places but those on its path */
		return among_boxes(book, scope->boxes, query);
	return end_of(&scope->since, draw, query) <= query->day &&
	       query->day < end_of(&scope->until, draw, query) &&
	       (scope->networks >> query->network & 1) != 0 && among(scope->isps, query->isp) &&
	       among(scope->regions, query->region) && among(scope->states, query->state) &&
	       among_boxes(book, scope->boxes, query);
}

unsigned int kd_book_rule_find(const struct kd_book *book, const char *id)
{
	for (unsigned int i = 0; i < book->nrules; i++)
		if (strcmp(book->rules[i].id, id) == 0)
			return i + 1;
	return 0;
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

static void warn_of_state(const struct kd_book *book, const char *profile, const struct kd_query *query)
{
	const struct kd_place *state = &book->states[query->state - 1];
	bool early = query->day < state->scope.since.last;
	struct kd_query plain = *query;

	plain.sample = 0;
	if (kd_book_in_force(book, &state->scope, NULL, &plain))
		return;
	kd_diag(book->diags, KD_DIAG_WARNING, NULL, 0, profile,
		"its rules have dates of their own: there may be none on that day",
		"the state \"%.80s\" was %s %s", state->id, early ? "first seen" : "gone by",
		early ? state->scope.since_text : state->scope.until_text);
}

static void warn_of_network(const struct kd_book *book, const char *profile, const struct kd_query *query)
{
	const struct kd_place *isp = &book->isps[query->isp - 1];
	const char *known = "";

	if ((isp->networks >> query->network & 1) != 0)
		return;
	for (unsigned int i = 0; i < KD_NETWORK_COUNT && known != NULL; i++)
		if ((isp->networks >> i & 1) != 0)
			known = kd_arena_printf(book->arena, "%s%s%s", known,
				known[0] != '\0' ? ", " : "known: ", kd_network_name(i));
	kd_diag(book->diags, KD_DIAG_WARNING, NULL, 0, profile, known,
		"ISP \"%.80s\" is not known to run a %s network", isp->id, kd_network_name(query->network));
}

/* Ids of places, for one query; NULL: no memory. The arena keeps them. */
static const char *const *ids_of(const struct kd_book *book, const struct kd_place *places, unsigned int n)
{
	const char **ids = kd_arena_alloc(book->arena, (n + 1) * sizeof(*ids));

	for (unsigned int i = 0; ids != NULL && i < n; i++)
		ids[i] = places[i].id;
	return ids;
}

char *kd_book_query(const struct kd_book *book, const char *profile, struct kd_query *query)
{
	struct kd_query_words words = {.isps = ids_of(book, book->isps, book->nisps),
		.regions = ids_of(book, book->regions, book->nregions),
		.states = ids_of(book, book->states, book->nstates),
		.nisps = book->nisps,
		.nregions = book->nregions,
		.nstates = book->nstates};
	struct kd_fault fault;
	char *name;

	if (words.isps == NULL || words.regions == NULL || words.states == NULL)
		goto no_memory;
	if (kd_query_parse(query, &words, profile, strlen(profile), &fault) < 0) {
		kd_diag(book->diags, KD_DIAG_ERROR, NULL, 0, profile,
			fault.hint[0] != '\0' ? fault.hint : NULL, "%s", fault.message);
		return NULL;
	}
	name = kd_query_text(query, &words);
	if (name == NULL)
		goto no_memory;
	warn_of_day(book, profile, query->day);
	if (query->state > 0)
		warn_of_state(book, profile, query);
	if (query->isp > 0)
		warn_of_network(book, profile, query);
	return name;
no_memory:
	kd_diag(book->diags, KD_DIAG_ERROR, NULL, 0, profile, NULL, "out of memory");
	return NULL;
}

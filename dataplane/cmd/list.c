/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kordon list: what there is to choose from and to read about. Everything comes from the tables the program
 * itself runs on, so a list cannot be out of date.
 */
#include "cmd/list.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rulebook/setting.h"

enum row { JSON, CITE, SAMPLE };

static const struct kd_cmd_option options[] = {
	[JSON] = {"json", 0, NULL, "one JSON array instead of a table"},
	[CITE] = {"cite", 0, NULL, "rules, knobs: the sources of each claim"},
	[SAMPLE] = {"sample", 0, "N", "samples: how many boxes to draw (default 10)"},
	{NULL, 0, NULL, NULL},
};

struct list {
	const struct kd_args *args;
	struct kd_arena *arena;
	struct kd_diags diags;
	struct kd_book *book;
	struct kd_query query;
	bool queried; /* -p was a query */
};

static const struct what {
	const char *word;
	bool book, profile;			    /* needs the rulebook; takes -p */
	int (*print)(const struct kd_list_view *v); /* NULL: samples, which load policies themselves */
} whats[] = {
	{"profiles", true, false, kd_list_profiles},
	{"rules", true, true, kd_list_rules},
	{"settings", true, true, kd_list_settings},
	{"knobs", true, true, kd_list_knobs},
	{"attested", true, false, kd_list_attested},
	{"samples", false, true, NULL},
	{"claims", true, true, kd_list_claims},
	{"sources", true, true, kd_list_sources},
	{"tags", true, false, kd_list_tags},
	{"places", true, false, kd_list_places},
	{"protocols", false, false, kd_list_protocols},
	{"mechanisms", false, false, kd_list_mechanisms},
	{"reasons", false, false, kd_list_reasons},
	{"blind-spots", false, false, kd_list_blind_spots},
};

#define WORDS                                                                                                \
	"profiles|rules|settings|knobs|attested|samples|claims|sources|tags|places|protocols|mechanisms|"    \
	"reasons|blind-spots"
#define WORDS_SPELT                                                                                          \
	"profiles, rules, settings, knobs, attested, samples, claims, sources, tags, places, protocols, "    \
	"mechanisms, reasons, blind-spots"

int kd_list_open(struct kd_book **ret, struct kd_query *query, const struct kd_args *args,
	const char *profile, uint64_t seed, struct kd_diags *diags)
{
	bool asks = profile != NULL && strchr(profile, '@') != NULL;
	bool null = profile != NULL && strcmp(profile, "null") == 0;
	struct kd_book *book;
	char *name = NULL;
	int rc;

	rc = kd_book_load(&book, args->policies, profile == NULL || asks || null ? NULL : profile, diags);
	if (rc < 0)
		return rc;
	if (asks) {
		name = kd_book_query(book, profile, query);
		query->seed = seed;
	}
	if (null)
		book->nrules = book->nsettings = book->nknobs = book->npaths = 0;
	*ret = book;
	asks = name != NULL;
	free(name);
	return asks;
}

static const struct kd_query *query_of(const struct list *l)
{
	return l->queried ? &l->query : NULL;
}

static int load(struct list *l)
{
	struct kd_settings unused;
	int rc = kd_list_open(&l->book, &l->query, l->args, l->args->profile, l->args->seed, &l->diags);

	if (rc < 0)
		return rc;
	l->queried = rc > 0;
	kd_settings_apply(l->book, query_of(l), l->args->set, &unused);
	if (l->diags.errors > 0 || (l->diags.warnings > 0 && !l->args->quiet))
		kd_diags_print(&l->diags, stderr);
	return l->diags.errors > 0 ? -EINVAL : 0;
}

static const struct what *what_of(const struct kd_args *args, int *code)
{
	const char *word = args->noperands == 1 ? args->operands[0] : "";
	char *near;

	for (unsigned int i = 0; i < sizeof(whats) / sizeof(whats[0]); i++)
		if (strcmp(whats[i].word, word) == 0)
			return &whats[i];
	if (args->noperands != 1) {
		*code = kd_usage_error(args, "expected one of " WORDS_SPELT);
	} else if (strcmp(word, "services") == 0) {
		*code = kd_usage_error(args, "%s are not known in this version; known: " WORDS_SPELT, word);
	} else {
		near = kd_did_you_mean(word, WORDS);
		*code = kd_usage_error(args, "\"%s\" cannot be listed%s%s%s", word,
			near != NULL ? " - did you mean \"" : "",
			near != NULL ? near : "; known: " WORDS_SPELT, near != NULL ? "\"?" : "");
		free(near);
	}
	return NULL;
}

static int samples(const struct kd_args *args)
{
	const char *text = args->value[SAMPLE] != NULL ? args->value[SAMPLE] : "10";
	unsigned long n;
	char *end;

	errno = 0;
	n = strtoul(text, &end, 10);
	if (errno != 0 || *end != '\0' || *text < '0' || *text > '9' || n > UINT32_MAX)
		return kd_usage_error(args, "--sample \"%s\": expected a number of boxes", text);
	return kd_list_samples(args, (unsigned int)n, args->value[JSON] != NULL);
}

static int print(const struct list *l, const struct what *what)
{
	const struct kd_args *args = l->args;

	return what->print(&(struct kd_list_view){.arena = l->arena,
		.book = l->book,
		.query = query_of(l),
		.set = args->set,
		.profile = args->profile != NULL,
		.json = args->value[JSON] != NULL,
		.cite = args->value[CITE] != NULL});
}

static int run(const struct kd_args *args)
{
	struct list l = {.args = args};
	const struct what *what;
	int rc = KD_EXIT_OK;

	what = what_of(args, &rc);
	if (what == NULL)
		return rc;
	if (args->profile != NULL && !what->profile)
		return kd_usage_error(args,
			"-p goes with rules, settings, knobs, samples, claims and sources, not with %s",
			what->word);
	if (args->value[SAMPLE] != NULL && what->print != NULL)
		return kd_usage_error(args, "--sample goes with samples, not with %s", what->word);
	if (what->print == NULL)
		return samples(args);
	l.arena = kd_arena_new();
	rc = l.arena == NULL ? -ENOMEM : 0;
	if (rc == 0 && what->book)
		rc = load(&l);
	if (rc == 0)
		rc = print(&l, what);
	kd_book_free(l.book);
	kd_diags_free(&l.diags);
	kd_arena_free(l.arena);
	if (rc == -ENOMEM) {
		kd_complain("out of memory while listing %s", what->word);
		return KD_EXIT_ENVIRONMENT;
	}
	return rc < 0 ? KD_EXIT_CONFIG : KD_EXIT_OK;
}

const struct kd_command kd_command_list = {
	.name = "list",
	.summary = "what exists: rules, days, knobs, sources, protocols, mechanisms, ...",
	.usage = "list WHAT [-p PROFILE] [--json] [--cite] [--sample N]",
	.text = "WHAT is one of " WORDS_SPELT ".\n\n"
		"Without -p, rules, claims and sources are those of the whole rulebook, settings have their "
		"defaults, and\n"
		"knobs are those there are. With -p, what is in force. Profiles are the days on which "
		"something changes\n"
		"(+ starts, - ends); any day between two of them is a profile too. sources prints BibTeX.",
	.options = options,
	.takes_profile = true,
	.run = run,
};

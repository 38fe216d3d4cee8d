/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kordon list: what there is to choose from and to read about. Everything comes from the tables the program
 * itself runs on, so a list cannot be out of date.
 */
#include "cmd/list.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/table.h"
#include "cmd/words.h"
#include "engine/protocol.h"
#include "engine/spot.h"
#include "rulebook/announced.h"
#include "rulebook/setting.h"
#include "rulebook/units.h"

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

static bool on(const struct list *l, enum row row)
{
	return l->args->value[row] != NULL;
}

static int list_protocols(struct list *l)
{
	struct kd_table t = {
		.arena = l->arena, .heads = {"protocol", "over", "fields", "title"}, .columns = 4};
	int rc = 0;

	for (int i = 0; i < KD_PROTOCOL_COUNT && rc == 0; i++) {
		const struct kd_protocol *p = kd_protocols[i];
		const char *fields = "";

		for (unsigned int f = 0; f < KD_FIELDS_MAX && p->fields[f].name != NULL; f++)
			fields = kd_arena_printf(
				l->arena, "%s%s%s", fields, f > 0 ? " " : "", p->fields[f].name);
		if (fields == NULL)
			return -ENOMEM;
		rc = kd_table_row(&t, (const char *[KD_TABLE_COLUMNS]){p->name,
					      p->transports == KD_TRANSPORT_TCP	  ? "tcp"
					      : p->transports == KD_TRANSPORT_UDP ? "udp"
										  : "tcp udp",
					      fields, p->title});
	}
	return rc == 0 ? kd_table_print(&t, on(l, JSON), stdout) : rc;
}

static const char *option_values(struct list *l, const struct kd_option *o)
{
	static const struct {
		uint8_t unit;
		const char *noun;
	} kinds[] = {[KD_OPTION_COUNT] = {KD_UNIT_COUNT, "count"},
		[KD_OPTION_DURATION] = {KD_UNIT_DURATION, "duration"},
		[KD_OPTION_RATE] = {KD_UNIT_RATE, "rate"},
		[KD_OPTION_BYTES] = {KD_UNIT_BYTES, "bytes"},
		[KD_OPTION_SHARE] = {KD_UNIT_SHARE, "share"},
		[KD_OPTION_TEXT] = {KD_UNIT_KINDS, "text"}};
	char lo[KD_UNITS_TEXT], hi[KD_UNITS_TEXT];
	unsigned int kind;

	if (o->kind == KD_OPTION_WORD)
		return o->words;
	if (o->kind == KD_OPTION_ADDRESS)
		return "IPv4 or IPv6 address";
	kind = kinds[o->kind].unit;
	if (o->max == 0)
		return kinds[o->kind].noun;
	if (o->kind == KD_OPTION_TEXT)
		return kd_arena_printf(
			l->arena, "text of %u to %u bytes", (unsigned int)o->min, (unsigned int)o->max);
	kd_units_text(lo, kind, o->min);
	kd_units_text(hi, kind, o->max);
	return kd_arena_printf(l->arena, "%s to %s", lo, hi);
}

static int list_mechanisms(struct list *l)
{
	struct kd_table t = {.arena = l->arena,
		.heads = {"mechanism", "option", "values", "default", "meaning"},
		.columns = 5};
	int rc = 0;

	for (int i = 0; i < KD_MECHANISM_COUNT; i++) {
		const struct kd_mechanism *m = kd_mechanisms[i];

		rc = kd_table_row(&t, (const char *[KD_TABLE_COLUMNS]){m->name, NULL, NULL, NULL, m->title});
		for (const struct kd_option *o = m->options; o != NULL && o->name != NULL && rc == 0; o++)
			rc = kd_table_row(&t, (const char *[KD_TABLE_COLUMNS]){on(l, JSON) ? m->name : NULL,
						      o->name, option_values(l, o),
						      o->deflt != NULL ? o->deflt : "(required)", o->help});
		if (rc < 0)
			return rc;
	}
	return kd_table_print(&t, on(l, JSON), stdout);
}

static int list_reasons(struct list *l)
{
	struct kd_table t = {.arena = l->arena, .heads = {"reason", "meaning"}, .columns = 2};

	for (uint16_t i = 0; i < KD_REASON_COUNT; i++) {
		const struct kd_reason *r = kd_reason(i);

		if (r != NULL && kd_table_row(&t, (const char *[KD_TABLE_COLUMNS]){r->name, r->sentence}) < 0)
			return -ENOMEM;
	}
	return kd_table_print(&t, on(l, JSON), stdout);
}

static int list_blind_spots(struct list *l)
{
	struct kd_table t = {.arena = l->arena, .heads = {"blind spot", "meaning"}, .columns = 2};

	for (unsigned int i = 0; i < KD_SPOT_COUNT; i++)
		if (kd_table_row(
			    &t, (const char *[KD_TABLE_COLUMNS]){kd_spots[i].name, kd_spots[i].sentence}) < 0)
			return -ENOMEM;
	return kd_table_print(&t, on(l, JSON), stdout);
}

static const struct kd_query *query_of(const struct list *l)
{
	return l->queried ? &l->query : NULL;
}

static bool in_force(const struct list *l, const struct kd_book_setting *s)
{
	return l->args->profile != NULL && kd_book_in_force(l->book, &s->scope, s->draw, query_of(l));
}

/* The setting of the book that answers for a key, or NULL when the default does. */
static const struct kd_book_setting *setting_of(const struct list *l, unsigned int key)
{
	for (unsigned int i = 0; i < l->book->nsettings; i++)
		if (l->book->settings[i].key == key && in_force(l, &l->book->settings[i]))
			return &l->book->settings[i];
	return NULL;
}

/* What the book says for a query: as written, or what a sampled box drew from it. */
static const char *setting_value(struct list *l, const struct kd_book_setting *st)
{
	struct kd_sample sample = {.seed = l->query.seed, .number = l->query.sample};
	const struct kd_book_number *n;
	const char *text;

	n = &st->values[kd_sample_variant(&sample, st->draw, st->weights, st->nvalues)];
	if (sample.number == 0 || n->text == NULL || !n->n.ranged)
		return n->text;
	text = kd_words_drawn(l->arena, &l->query, st->draw, n);
	return text != NULL ? kd_arena_printf(l->arena, "%s of %s", text, n->text) : NULL;
}

/* Settings that nothing reads yet: what the book says of them, in force. */
static int pending_settings(struct list *l, struct kd_table *t)
{
	int rc = 0;

	for (unsigned int i = 0; i < l->book->nsettings && rc == 0; i++) {
		const struct kd_book_setting *st = &l->book->settings[i];

		if (st->key != KD_SETTING_ANNOUNCED || !in_force(l, st))
			continue;
		rc = kd_table_row(t, (const char *[KD_TABLE_COLUMNS]){st->name, setting_value(l, st),
					     kd_grade_name(st->evidence.grade[KD_PART_NUMBERS]),
					     st->evidence.claims[KD_PART_NUMBERS], st->pending,
					     kd_announced_find(kd_announced_settings, st->name)->help});
	}
	return rc;
}

static int list_settings(struct list *l)
{
	struct kd_table t = {.arena = l->arena,
		.heads = {"setting", "value", "grade", "claims", "pending", "meaning"},
		.columns = 6};
	struct kd_settings plain, used;
	int rc = 0;

	kd_settings_apply(l->book, query_of(l), NULL, &plain);
	kd_settings_apply(l->book, query_of(l), l->args->set, &used);
	for (unsigned int i = 0; i < KD_SETTING_COUNT && rc == 0; i++) {
		const struct kd_setting_row *row = &kd_setting_rows[i];
		const struct kd_book_setting *st = setting_of(l, i);
		const struct kd_claim *claim = kd_book_claim(l->book, row->claim, strlen(row->claim));
		const char *cells[KD_TABLE_COLUMNS] = {row->key, row->deflt,
			kd_grade_name(claim != NULL ? claim->grade : KD_GRADE_ASSUMED),
			claim != NULL ? claim->id : NULL, NULL, row->help};
		char text[KD_UNITS_TEXT];

		if (memcmp((char *)&plain + row->offset, (char *)&used + row->offset, sizeof(uint64_t)) !=
			0) {
			uint64_t value;

			memcpy(&value, (char *)&used + row->offset, sizeof(value));
			kd_units_text(text, row->kind, value);
			cells[1] = kd_arena_strdup(l->arena, text);
			cells[2] = "--set";
			cells[3] = NULL;
		} else if (st != NULL) {
			cells[1] = setting_value(l, st);
			cells[2] = kd_grade_name(st->evidence.grade[KD_PART_NUMBERS]);
			cells[3] = st->evidence.claims[KD_PART_NUMBERS];
		}
		rc = kd_table_row(&t, cells);
	}
	if (rc == 0)
		rc = pending_settings(l, &t);
	return rc == 0 ? kd_table_print(&t, on(l, JSON), stdout) : rc;
}

static int by_day(const void *a, const void *b)
{
	int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;

	return x < y ? -1 : x > y;
}

/* The first day that the rulebook does not cover; INT32_MAX when it does not say. */
static int32_t uncovered(const struct list *l)
{
	const struct kd_coverage *c = &l->book->coverage;

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
static const char *changes(struct list *l, int32_t day)
{
	const struct kd_scope *scope;
	const char *text = "", *name;

	if (day == uncovered(l))
		text = kd_arena_printf(
			l->arena, "(not modelled from here on: %s)", l->book->coverage.missing);
	for (unsigned int i = 0; text != NULL && dated(l->book, i, &name, &scope); i++)
		if (scope->since.last == day || scope->until.last == day)
			text = kd_arena_printf(l->arena, "%s%s%c%s", text, text[0] != '\0' ? " " : "",
				scope->since.last == day ? '+' : '-', name);
	return text;
}

static int list_profiles(struct list *l)
{
	struct kd_table t = {.arena = l->arena, .heads = {"profile", "changes"}, .columns = 2};
	const struct kd_scope *scope;
	unsigned int n = 2, entries = 0;
	const char *name;
	int32_t *days;
	int rc;

	while (dated(l->book, entries, &name, &scope))
		entries++;
	days = kd_arena_alloc(l->arena, (2 + 2 * (size_t)entries) * sizeof(*days));
	if (days == NULL)
		return -ENOMEM;
	days[0] = KD_FIRST_DAY;
	days[1] = uncovered(l);
	for (unsigned int i = 0; dated(l->book, i, &name, &scope); i++) {
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
				    kd_arena_printf(l->arena, "tspu@%s", day), changes(l, days[i])});
	}
	return rc == 0 ? kd_table_print(&t, on(l, JSON), stdout) : rc;
}

static int with_view(struct list *l, int (*print)(const struct kd_list_view *v))
{
	struct kd_list_view v = {.arena = l->arena,
		.book = l->book,
		.query = query_of(l),
		.profile = l->args->profile != NULL,
		.json = on(l, JSON),
		.cite = on(l, CITE)};

	return print(&v);
}

static int list_rules(struct list *l)
{
	return with_view(l, kd_list_rules);
}

static int list_knobs(struct list *l)
{
	return with_view(l, kd_list_knobs);
}

static int list_attested(struct list *l)
{
	return with_view(l, kd_list_attested);
}

static int list_tags(struct list *l)
{
	return with_view(l, kd_list_tags);
}

static int list_places(struct list *l)
{
	return with_view(l, kd_list_places);
}

static int list_claims(struct list *l)
{
	return with_view(l, kd_list_claims);
}

static int list_sources(struct list *l)
{
	return with_view(l, kd_list_sources);
}

static const struct what {
	const char *word;
	bool book, profile;	    /* needs the rulebook; takes -p */
	int (*run)(struct list *l); /* NULL: samples, which load policies themselves */
} whats[] = {
	{"profiles", true, false, list_profiles},
	{"rules", true, true, list_rules},
	{"settings", true, true, list_settings},
	{"knobs", true, true, list_knobs},
	{"attested", true, false, list_attested},
	{"samples", false, true, NULL},
	{"claims", true, true, list_claims},
	{"sources", true, true, list_sources},
	{"tags", true, false, list_tags},
	{"places", true, false, list_places},
	{"protocols", false, false, list_protocols},
	{"mechanisms", false, false, list_mechanisms},
	{"reasons", false, false, list_reasons},
	{"blind-spots", false, false, list_blind_spots},
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
	if (args->value[SAMPLE] != NULL && what->run != NULL)
		return kd_usage_error(args, "--sample goes with samples, not with %s", what->word);
	if (what->run == NULL)
		return samples(args);
	l.arena = kd_arena_new();
	rc = l.arena == NULL ? -ENOMEM : 0;
	if (rc == 0 && what->book)
		rc = load(&l);
	if (rc == 0)
		rc = what->run(&l);
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

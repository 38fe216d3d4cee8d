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
#include "engine/protocol.h"
#include "rulebook/setting.h"
#include "rulebook/units.h"

enum row { JSON, CITE };

static const struct kd_cmd_option options[] = {
	[JSON] = {"json", 0, NULL, "one JSON array instead of a table"},
	[CITE] = {"cite", 0, NULL, "rules: the sources of each claim"},
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
	unsigned int kind = o->kind == KD_OPTION_COUNT ? KD_UNIT_COUNT : KD_UNIT_DURATION;
	char lo[KD_UNITS_TEXT], hi[KD_UNITS_TEXT];

	if (o->kind == KD_OPTION_WORD)
		return o->words;
	if (o->max == 0)
		return o->kind == KD_OPTION_COUNT ? "count" : "duration";
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

/* The setting of the book that answers for a key, or NULL when the default does. */
static const struct kd_book_setting *setting_of(const struct list *l, unsigned int key)
{
	const struct kd_book_setting *found = NULL;

	for (unsigned int i = 0; l->args->profile != NULL && i < l->book->nsettings; i++)
		if (l->book->settings[i].key == key &&
			kd_book_in_force(l->book, &l->book->settings[i].scope, l->queried ? &l->query : NULL))
			found = &l->book->settings[i];
	return found;
}

static int list_settings(struct list *l)
{
	struct kd_table t = {
		.arena = l->arena, .heads = {"setting", "value", "grade", "claims", "meaning"}, .columns = 5};
	struct kd_settings plain, used;
	int rc = 0;

	kd_settings_apply(l->book, l->queried ? &l->query : NULL, NULL, &plain);
	kd_settings_apply(l->book, l->queried ? &l->query : NULL, l->args->set, &used);
	for (unsigned int i = 0; i < KD_SETTING_COUNT && rc == 0; i++) {
		const struct kd_setting_row *row = &kd_setting_rows[i];
		const struct kd_book_setting *st = setting_of(l, i);
		const struct kd_claim *claim = kd_book_claim(l->book, row->claim, strlen(row->claim));
		const char *cells[KD_TABLE_COLUMNS] = {row->key, row->deflt,
			kd_grade_name(claim != NULL ? claim->grade : KD_GRADE_ASSUMED),
			claim != NULL ? claim->id : NULL, row->help};
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
			cells[1] = st->text;
			cells[2] = kd_grade_name(st->evidence.grade[KD_PART_NUMBERS]);
			cells[3] = st->evidence.claims[KD_PART_NUMBERS];
		}
		rc = kd_table_row(&t, cells);
	}
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

/* What starts (+) and ends (-) on a day, rules then settings. */
static const char *changes(struct list *l, int32_t day)
{
	const char *text = "";

	if (day == uncovered(l))
		text = kd_arena_printf(
			l->arena, "(not modelled from here on: %s)", l->book->coverage.missing);

	for (unsigned int i = 0; i < l->book->nrules && text != NULL; i++) {
		const struct kd_book_rule *r = &l->book->rules[i];

		if (r->scope.since == day || r->scope.until == day)
			text = kd_arena_printf(l->arena, "%s%s%c%s", text, text[0] != '\0' ? " " : "",
				r->scope.since == day ? '+' : '-', r->id);
	}
	for (unsigned int i = 0; i < l->book->nsettings && text != NULL; i++) {
		const struct kd_book_setting *s = &l->book->settings[i];

		if (s->scope.since == day || s->scope.until == day)
			text = kd_arena_printf(l->arena, "%s%s%c%s", text, text[0] != '\0' ? " " : "",
				s->scope.since == day ? '+' : '-', kd_setting_rows[s->key].key);
	}
	return text;
}

static int list_profiles(struct list *l)
{
	struct kd_table t = {.arena = l->arena, .heads = {"profile", "changes"}, .columns = 2};
	unsigned int n = 2, room = 2 + 2 * (l->book->nrules + l->book->nsettings);
	int32_t *days = kd_arena_alloc(l->arena, room * sizeof(*days));
	int rc;

	if (days == NULL)
		return -ENOMEM;
	days[0] = KD_FIRST_DAY;
	days[1] = uncovered(l);
	for (unsigned int i = 0; i < l->book->nrules + l->book->nsettings; i++) {
		const struct kd_scope *s = i < l->book->nrules
						   ? &l->book->rules[i].scope
						   : &l->book->settings[i - l->book->nrules].scope;

		days[n++] = s->since;
		days[n++] = s->until;
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

static int list_rules(struct list *l)
{
	return kd_list_rules(l->book, l->queried ? &l->query : NULL, on(l, JSON), on(l, CITE));
}

static const struct what {
	const char *word;
	bool book, profile; /* needs the rulebook; takes -p */
	int (*run)(struct list *l);
} whats[] = {
	{"profiles", true, false, list_profiles},
	{"rules", true, true, list_rules},
	{"protocols", false, false, list_protocols},
	{"mechanisms", false, false, list_mechanisms},
	{"settings", true, true, list_settings},
	{"reasons", false, false, list_reasons},
};

#define WORDS "profiles|rules|protocols|mechanisms|settings|reasons"

/* The book that -p speaks of, and the query to put to it. */
static int load(struct list *l)
{
	const char *profile = l->args->profile;
	bool query = profile != NULL && strchr(profile, '@') != NULL, null = false;
	struct kd_settings unused;
	char *name;
	int rc;

	if (profile != NULL && !query) {
		null = strcmp(profile, "null") == 0;
		rc = kd_book_load(&l->book, l->args->policies, null ? NULL : profile, &l->diags);
	} else {
		rc = kd_book_load(&l->book, l->args->policies, NULL, &l->diags);
	}
	if (rc < 0)
		return rc;
	if (query) {
		name = kd_book_query(l->book, profile, &l->query);
		free(name);
		l->queried = true;
	}
	if (null)
		l->book->nrules = l->book->nsettings = 0;
	kd_settings_apply(l->book, l->queried ? &l->query : NULL, l->args->set, &unused);
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
		*code = kd_usage_error(
			args, "expected one of profiles, rules, protocols, mechanisms, settings, reasons");
	} else if (strcmp(word, "knobs") == 0 || strcmp(word, "services") == 0) {
		*code = kd_usage_error(args,
			"%s are not known in this version; known: profiles, rules, protocols, mechanisms, "
			"settings, "
			"reasons",
			word);
	} else {
		near = kd_did_you_mean(word, WORDS);
		*code = kd_usage_error(args, "\"%s\" cannot be listed%s%s%s", word,
			near != NULL ? " - did you mean \"" : "",
			near != NULL ? near
				     : "; known: profiles, rules, protocols, mechanisms, settings, reasons",
			near != NULL ? "\"?" : "");
		free(near);
	}
	return NULL;
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
		return kd_usage_error(args, "-p goes with rules and settings, not with %s", what->word);
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
	.summary = "what exists: profiles, rules, protocols, mechanisms, settings, reasons",
	.usage = "list profiles|rules|protocols|mechanisms|settings|reasons [-p PROFILE] [--json] [--cite]",
	.text = "Without -p, rules are those of the whole rulebook and settings have their defaults. "
		"Profiles are the\n"
		"days on which something changes (+ starts, - ends); any day between two of them is a "
		"profile too.",
	.options = options,
	.takes_profile = true,
	.run = run,
};

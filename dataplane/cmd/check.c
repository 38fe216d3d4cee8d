/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kordon check: the loader that every verb uses, and nothing but its complaints: all of them, with their
 * places. The shipped rulebook is also compiled for whatever places and days differ in what is in force.
 */
#include "cmd/cmd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/words.h"
#include "rulebook/book.h"
#include "rulebook/list.h"
#include "rulebook/place.h"
#include "rulebook/when.h"

static const struct kd_cmd_option options[] = {{NULL, 0, NULL, NULL}};

struct tally {
	unsigned int books, rules, settings, knobs, claims, names, signatures, tags, boxes, lists, pending,
		assumed;
	unsigned long long list_names, prefixes, pairs, garbage;
	bool verbose;
};

static unsigned int assumed(const struct kd_evidence *ev)
{
	unsigned int n = 0;

	for (unsigned int p = 0; p < KD_PART_COUNT; p++)
		n += ev->grade[p] == KD_GRADE_ASSUMED;
	return n;
}

/* Whether it stands in the policies folder, which every file of one's own is read over. */
static bool shared(const struct kd_book *book, const char *file)
{
	size_t len = strlen(book->dir);

	return strncmp(file, book->dir, len) == 0 &&
	       (strcmp(file + len, "/claims.cfg") == 0 || strncmp(file + len, "/signatures/", 12) == 0);
}

static unsigned int names_of(const struct kd_when *when)
{
	unsigned int n = 0;

	for (const struct kd_when *w = when; w != NULL; w = w->next)
		n += w->names.own.count + names_of(w->child);
	return n;
}

static void pending(struct tally *t, const char *kind, const char *id, const char *what)
{
	if (what == NULL)
		return;
	t->pending++;
	if (t->verbose)
		printf("pending %s %s: %s\n", kind, id, what);
}

static void add_rules(struct tally *t, const struct kd_book *book)
{
	for (unsigned int i = 0; i < book->nrules; i++) {
		const struct kd_book_rule *r = &book->rules[i];
		const char *what = r->pending;

		t->names += names_of(r->when);
		t->assumed += assumed(&r->evidence);
		for (unsigned int k = 0; k < r->nvariants; k++) {
			if (r->variants[k].when != r->when)
				t->names += names_of(r->variants[k].when);
			if (what == NULL)
				what = r->variants[k].pending;
		}
		pending(t, "rule", r->id, what);
	}
}

static void add_rest(struct tally *t, const struct kd_book *book)
{
	for (unsigned int i = 0; i < book->nknobs; i++) {
		t->assumed += assumed(&book->knobs[i].evidence);
		pending(t, "knob", book->knobs[i].name, book->knobs[i].pending);
	}
	for (unsigned int i = 0; i < book->nsettings; i++) {
		t->assumed += assumed(&book->settings[i].evidence);
		pending(t, "setting", kd_setting_name(&book->settings[i]), book->settings[i].pending);
	}
	for (unsigned int i = 0; i < book->nlists; i++) {
		const struct kd_list *list = book->lists[i];

		t->list_names += list->kind == KD_LIST_NAMES ? list->count : 0;
		t->prefixes += list->kind == KD_LIST_PREFIXES ? list->count : 0;
		t->pairs += list->kind == KD_LIST_PAIRS ? list->count : 0;
		t->garbage += list->garbage;
	}
}

static void add(struct tally *t, const struct kd_book *book)
{
	bool first = t->books++ == 0;

	t->rules += book->nrules;
	t->settings += book->nsettings;
	t->knobs += book->nknobs;
	t->tags += book->ntags;
	t->boxes += book->nboxes;
	t->lists += book->nlists;
	for (unsigned int i = 0; i < book->nclaims; i++)
		t->claims += first || !shared(book, book->claims[i].at.file);
	for (unsigned int i = 0; i < book->nsignatures; i++)
		t->signatures += first || !shared(book, book->signatures[i].at.file);
	add_rules(t, book);
	add_rest(t, book);
}

static void print(const struct tally *t)
{
	printf("checked %u rules, %u settings, %u claims, %u names, %u knobs, %u tags, %u boxes, %u lists",
		t->rules, t->settings, t->claims, t->names, t->knobs, t->tags, t->boxes, t->lists);
	if (t->lists > 0)
		printf(" (%llu names, %llu prefixes, %llu pairs, %llu lines not understood)", t->list_names,
			t->prefixes, t->pairs, t->garbage);
	printf(", %u signatures; %u pending, %u assumed parts\n", t->signatures, t->pending, t->assumed);
}

/* -EINVAL is among the diagnostics already. */
static int compile(const struct kd_book *book, const struct kd_query *query)
{
	struct kd_policy *policy = NULL;
	int rc = kd_book_compile(
		&policy, book, query, book->own != NULL ? book->own : "rulebook", NULL, false);

	kd_policy_free(policy);
	return rc == -ENOMEM ? rc : 0;
}

/* What was compiled before, by a digest of all that was in force. */
struct compiled {
	const struct kd_book *book;
	struct kd_arena *arena;
	uint64_t *seen;
	unsigned int nseen, errors;
};

#define FNV_START 0xcbf29ce484222325ull
#define FNV_PRIME 0x100000001b3ull

static void mix(uint64_t *digest, uint64_t value)
{
	for (unsigned int i = 0; i < 8; i++)
		*digest = (*digest ^ (value >> (8 * i) & 0xff)) * FNV_PRIME;
}

static uint64_t in_force(const struct kd_book *b, const struct kd_query *q, const struct kd_book_box *box)
{
	uint64_t digest = FNV_START;

	for (unsigned int i = 0; i < b->nrules; i++)
		if (kd_book_in_force(b, &b->rules[i].scope, b->rules[i].draw, q)) {
			mix(&digest, 1ull << 32 | i);
			for (unsigned int m = 0; m < b->rules[i].nmisses; m++)
				if (kd_book_in_force(b, &b->rules[i].misses[m].scope, b->rules[i].draw, q))
					mix(&digest, 2ull << 32 | m);
		}
	for (unsigned int i = 0; i < b->nknobs; i++)
		if (kd_book_in_force(b, &b->knobs[i].scope, b->knobs[i].draw, q))
			mix(&digest, 3ull << 32 | i);
	for (unsigned int i = 0; i < b->nsettings; i++)
		if (kd_book_in_force(b, &b->settings[i].scope, b->settings[i].draw, q))
			mix(&digest, 4ull << 32 | i);
	for (unsigned int i = 0; i < b->nboxes; i++)
		if (box == &b->boxes[i])
			mix(&digest, 5ull << 32 | i);
	return digest;
}

/* Each box of the path that the query has. The same error would come with every day, so the first set with
 * one is the last: 1. */
static int compile_query(struct compiled *c, const struct kd_query *query)
{
	struct kd_query q = *query;
	struct kd_path_boxes path;

	kd_path_of(c->book, &q, &path);
	for (unsigned int box = 0; box < path.n; box++) {
		uint64_t digest;
		unsigned int at = 0;
		int rc;

		q.box = (uint8_t)box;
		digest = in_force(c->book, &q, path.box[box]);
		while (at < c->nseen && c->seen[at] != digest)
			at++;
		if (at < c->nseen)
			continue;
		c->seen = kd_arena_grow(c->arena, c->seen, c->nseen, sizeof(*c->seen));
		if (c->seen == NULL)
			return -ENOMEM;
		c->seen[c->nseen++] = digest;
		rc = compile(c->book, &q);
		if (rc < 0)
			return rc;
		if (c->book->diags->errors > c->errors)
			return 1;
	}
	return 0;
}

/* A day everywhere: each network by itself, and with each ISP, region and state. */
static int compile_day(struct compiled *c, int32_t day)
{
	const struct kd_book *b = c->book;
	unsigned int places = 1 + b->nisps + b->nregions + b->nstates;
	int rc = 0;

	for (unsigned int i = 0; i < places * KD_NETWORK_COUNT && rc == 0; i++) {
		struct kd_query q = {.day = day, .network = (uint8_t)(i % KD_NETWORK_COUNT)};
		unsigned int place = i / KD_NETWORK_COUNT;

		if (place > b->nisps + b->nregions)
			q.state = (uint8_t)(place - b->nisps - b->nregions);
		else if (place > b->nisps)
			q.region = (uint8_t)(place - b->nisps);
		else
			q.isp = (uint8_t)place;
		rc = compile_query(c, &q);
	}
	return rc;
}

/* The number of the lowest bit from 1; 0 = none is set. */
static uint8_t lowest(uint64_t mask)
{
	return mask != 0 ? (uint8_t)(__builtin_ctzll(mask) + 1) : 0;
}

/* The first day and place an entry is limited to, which may be an ISP in a region in a state. */
static int compile_place(struct compiled *c, const struct kd_scope *s)
{
	struct kd_query q = {.day = s->since.last > KD_FIRST_DAY ? s->since.last : KD_FIRST_DAY,
		.network = (uint8_t)(lowest(s->networks) - 1),
		.isp = lowest(s->isps),
		.region = lowest(s->regions),
		.state = lowest(s->states)};

	return s->networks != 0 ? compile_query(c, &q) : 0;
}

/* Scopes of rules, knobs, settings, states and paths, one after the other; NULL behind the last. */
static const struct kd_scope *scope_of(const struct kd_book *b, unsigned int i)
{
	if (i < b->nrules)
		return &b->rules[i].scope;
	i -= b->nrules;
	if (i < b->nknobs)
		return &b->knobs[i].scope;
	i -= b->nknobs;
	if (i < b->nsettings)
		return &b->settings[i].scope;
	i -= b->nsettings;
	if (i < b->nstates)
		return &b->states[i].scope;
	i -= b->nstates;
	return i < b->npaths ? &b->paths[i].scope : NULL;
}

static int by_day(const void *a, const void *b)
{
	int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;

	return x < y ? -1 : x > y;
}

/* The first day and every day on which something starts or ends. */
static int32_t *days_of(const struct kd_book *book, struct kd_arena *arena, unsigned int *n)
{
	const struct kd_scope *s;
	unsigned int entries = 0;
	int32_t *days;

	while (scope_of(book, entries) != NULL)
		entries++;
	days = kd_arena_alloc(arena, (1 + 2 * (size_t)entries) * sizeof(*days));
	if (days == NULL)
		return NULL;
	*n = 0;
	days[(*n)++] = KD_FIRST_DAY;
	for (unsigned int i = 0; (s = scope_of(book, i)) != NULL; i++) {
		if (s->since.last > KD_FIRST_DAY && s->since.last < INT32_MAX)
			days[(*n)++] = s->since.last;
		if (s->until.last > KD_FIRST_DAY && s->until.last < INT32_MAX)
			days[(*n)++] = s->until.last;
	}
	qsort(days, *n, sizeof(*days), by_day);
	return days;
}

static int compile_days(const struct kd_book *book)
{
	struct compiled c = {.book = book, .arena = kd_arena_new(), .errors = book->diags->errors};
	const struct kd_scope *s;
	unsigned int n = 0;
	int32_t *days;
	int rc = 0;

	days = c.arena != NULL ? days_of(book, c.arena, &n) : NULL;
	if (days == NULL)
		rc = -ENOMEM;
	for (unsigned int i = 0; i < n && rc == 0; i++)
		if (i == 0 || days[i] != days[i - 1])
			rc = compile_day(&c, days[i]);
	for (unsigned int i = 0; rc == 0 && (s = scope_of(book, i)) != NULL; i++)
		rc = compile_place(&c, s);
	kd_arena_free(c.arena);
	return rc < 0 ? rc : 0;
}

static int check(const struct kd_args *args, const char *file, struct kd_diags *diags, struct tally *tally)
{
	struct kd_book *book;
	int rc = kd_book_load(&book, args->policies, file, diags);

	if (rc < 0)
		return rc;
	add(tally, book);
	rc = file != NULL ? compile(book, NULL) : compile_days(book);
	kd_book_free(book);
	return rc;
}

/* A file that is not there is a matter of input, not of configuration. */
static int readable(const char *path)
{
	FILE *file = fopen(path, "re");
	int err = 0;

	if (file == NULL)
		err = errno;
	else if (fgetc(file) == EOF && ferror(file))
		err = errno;
	if (file != NULL)
		fclose(file);
	if (err == 0)
		return KD_EXIT_OK;
	kd_complain("%s: cannot be read: %s; give files of rules, or nothing to check the shipped rulebook",
		path, strerror(err));
	return KD_EXIT_INPUT;
}

static int run(const struct kd_args *args)
{
	struct kd_diags diags = {0};
	struct tally t = {.verbose = args->verbose > 0};
	int rc = 0, unread = KD_EXIT_OK, code;

	if (args->noperands == 0)
		rc = check(args, NULL, &diags, &t);
	for (unsigned int i = 0; i < args->noperands && rc == 0; i++) {
		code = readable(args->operands[i]);
		if (code == KD_EXIT_OK)
			rc = check(args, args->operands[i], &diags, &t);
		else
			unread = code;
	}
	if (rc < 0) {
		kd_complain("out of memory while checking");
		kd_diags_free(&diags);
		return KD_EXIT_ENVIRONMENT;
	}
	if (diags.errors > 0 || !args->quiet)
		kd_diags_print(&diags, stderr);
	if (t.books > 0)
		print(&t);
	/* Of two things wrong, the file nobody looked into is the worse: the rest may not be all. */
	code = unread != KD_EXIT_OK ? unread : diags.errors > 0 ? KD_EXIT_CONFIG : KD_EXIT_OK;
	kd_diags_free(&diags);
	return code;
}

const struct kd_command kd_command_check = {
	.name = "check",
	.summary = "reads the rulebook, lists and signatures; says everything that is wrong with them",
	.usage = "check [FILE...]",
	.text = "Without FILE, the shipped rulebook. A FILE is a rulebook of one's own: dates and evidence "
		"may be left out\n"
		"there, and it may use the claims, lists and signatures of the policies folder. -v names "
		"what is "
		"pending.",
	.options = options,
	.takes_profile = false,
	.run = run,
};

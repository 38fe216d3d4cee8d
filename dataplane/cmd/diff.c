/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kordon diff: what two profiles do not have in common, in words: rules, knobs, settings and the path. It
 * compares what is written, not what traffic would meet: a rule that another one replaced is two lines.
 */
#include "cmd/cmd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/diff.h"
#include "cmd/list.h"
#include "cmd/table.h"
#include "cmd/words.h"
#include "report/json.h"

#define NAMES_SHOWN 6
#define NAMES_JSON 200

enum row { JSON, CITE, SEED };

static const struct kd_cmd_option options[] = {
	[JSON] = {"json", 0, NULL, "one JSON array instead of lines"},
	[CITE] = {"cite", 0, NULL, "the sources of each claim"},
	[SEED] = {"seed", 0, "N", "seed of sampled boxes, PROFILE~K (default 1)"},
	{NULL, 0, NULL, NULL},
};

/* Names of a that b has not; both sorted. *n of them, the first `most` in list. */
static void missing(const struct kd_diff_item *a, const struct kd_diff_item *b, const char **list,
	unsigned int most, unsigned int *n)
{
	unsigned int at = 0;

	*n = 0;
	for (unsigned int i = 0; i < a->nnames; i++) {
		int order = 1;

		if (i > 0 && strcmp(a->names[i], a->names[i - 1]) == 0)
			continue;
		while (at < b->nnames && (order = strcmp(b->names[at], a->names[i])) < 0)
			at++;
		if (at < b->nnames && order == 0)
			continue;
		if (*n < most)
			list[*n] = a->names[i];
		(*n)++;
	}
}

static bool same(const struct kd_diff_item *a, const struct kd_diff_item *b)
{
	const char *one;
	unsigned int n;

	for (unsigned int p = 0; p < KD_DIFF_PARTS; p++)
		if (strcmp(a->part[p], b->part[p]) != 0)
			return false;
	missing(a, b, &one, 1, &n);
	if (n == 0)
		missing(b, a, &one, 1, &n);
	return n == 0;
}

static void text_names(const char *sign, const struct kd_diff_item *a, const struct kd_diff_item *b)
{
	const char *list[NAMES_SHOWN];
	unsigned int n;

	missing(a, b, list, NAMES_SHOWN, &n);
	for (unsigned int i = 0; i < n && i < NAMES_SHOWN; i++)
		printf(" %s%s", sign, list[i]);
	if (n > NAMES_SHOWN)
		printf(" %s%u more", sign, n - NAMES_SHOWN);
}

static const char *shown(const struct kd_diff_item *item, const struct kd_diff_item *other, unsigned int part)
{
	const char *text = item->part[part];

	if (part == KD_DIFF_MATCH && strcmp(item->match, other->match) != 0)
		text = item->match;
	return text[0] != '\0' ? text : "none";
}

static void text_parts(const struct kd_diff_item *was, const struct kd_diff_item *is)
{
	const char *separator = "", *one;
	unsigned int gone, new;

	missing(was, is, &one, 1, &gone);
	missing(is, was, &one, 1, &new);
	if (gone + new > 0) {
		fputs("names", stdout);
		text_names("+", is, was);
		text_names("-", was, is);
		separator = "; ";
	}
	for (unsigned int p = 0; p < KD_DIFF_PARTS; p++) {
		if (strcmp(was->part[p], is->part[p]) == 0)
			continue;
		printf("%s%s %s -> %s", separator, kd_diff_parts[p], shown(was, is, p), shown(is, was, p));
		separator = "; ";
	}
}

/* is NULL: gone; was NULL: new. */
static void text_change(
	const struct kd_list_view *v, const struct kd_diff_item *was, const struct kd_diff_item *is)
{
	const struct kd_diff_item *item = is != NULL ? is : was;
	unsigned int weakest = item->evidence != NULL ? kd_evidence_weakest(item->evidence) : KD_GRADE_COUNT;
	const struct kd_claim **claims = NULL;
	unsigned int n = 0;

	printf("%c %s %s: ", was == NULL ? '+' : is == NULL ? '-' : '~', item->kind, item->id);
	if (was != NULL && is != NULL)
		text_parts(was, is);
	else
		fputs(item->words, stdout);
	if (item->evidence != NULL)
		claims = kd_evidence_claims(v->arena, v->book, item->evidence, &n);
	if (weakest != KD_GRADE_COUNT)
		printf("  [%s%s", kd_grade_name(weakest), claims != NULL ? ":" : "");
	for (unsigned int i = 0; claims != NULL && i < n; i++)
		printf(" %s", claims[i]->id);
	fputs(weakest != KD_GRADE_COUNT ? "]\n" : "\n", stdout);
	for (unsigned int i = 0; v->cite && claims != NULL && i < n; i++)
		kd_list_cite(v, claims[i], "    ");
}

static void json_names(
	struct kd_json *j, const char *key, const struct kd_diff_item *a, const struct kd_diff_item *b)
{
	const char *list[NAMES_JSON];
	unsigned int n;

	missing(a, b, list, NAMES_JSON, &n);
	if (n == 0)
		return;
	kd_json_open(j, key, '{');
	kd_json_u64(j, "count", n);
	kd_json_open(j, "first", '[');
	for (unsigned int i = 0; i < n && i < NAMES_JSON; i++)
		kd_json_str(j, NULL, list[i]);
	kd_json_close(j, ']');
	kd_json_close(j, '}');
}

static int json_change(const struct kd_list_view *v, const struct kd_diff_item *was,
	const struct kd_diff_item *is, bool first)
{
	const struct kd_diff_item *item = is != NULL ? is : was;
	char *buf = malloc(KD_TABLE_JSON_ROOM);
	struct kd_json j;

	if (buf == NULL)
		return -ENOMEM;
	kd_json_start(&j, buf, KD_TABLE_JSON_ROOM);
	kd_json_open(&j, NULL, '{');
	kd_json_str(&j, "change", was == NULL ? "new" : is == NULL ? "gone" : "changed");
	kd_json_str(&j, "kind", item->kind);
	kd_json_str(&j, "id", item->id);
	kd_json_str(&j, "words", item->words);
	if (was != NULL && is != NULL) {
		kd_json_open(&j, "parts", '{');
		json_names(&j, "names_added", is, was);
		json_names(&j, "names_removed", was, is);
		for (unsigned int p = 0; p < KD_DIFF_PARTS; p++) {
			if (strcmp(was->part[p], is->part[p]) == 0)
				continue;
			kd_json_open(&j, kd_diff_parts[p], '{');
			kd_json_str(&j, "was", shown(was, is, p));
			kd_json_str(&j, "is", shown(is, was, p));
			kd_json_close(&j, '}');
		}
		kd_json_close(&j, '}');
	}
	if (item->evidence != NULL)
		kd_list_json_evidence(&j, v, item->evidence);
	kd_json_close(&j, '}');
	if (!j.full)
		printf("%s\n%.*s", first ? "" : ",", (int)j.len, buf);
	free(buf);
	return j.full ? -ENOMEM : 0;
}

static const struct kd_diff_item *counterpart(
	const struct kd_diff_side *side, const struct kd_diff_item *item)
{
	for (unsigned int i = 0; i < side->nitems; i++)
		if (strcmp(side->items[i].kind, item->kind) == 0 && strcmp(side->items[i].id, item->id) == 0)
			return &side->items[i];
	return NULL;
}

static int change(const struct kd_diff_side *side, const struct kd_diff_item *was,
	const struct kd_diff_item *is, unsigned int *count)
{
	int rc = 0;

	if (side->view.json)
		rc = json_change(&side->view, was, is, *count == 0);
	else
		text_change(&side->view, was, is);
	(*count)++;
	return rc;
}

/* What is gone and changed in the order of the first, then what is new in that of the second. */
static int compare(const struct kd_diff_side *a, const struct kd_diff_side *b)
{
	unsigned int count = 0;
	int rc = 0;

	if (a->view.json)
		fputs("[", stdout);
	for (unsigned int i = 0; i < a->nitems && rc == 0; i++) {
		const struct kd_diff_item *other = counterpart(b, &a->items[i]);

		if (other == NULL)
			rc = change(a, &a->items[i], NULL, &count);
		else if (!same(&a->items[i], other))
			rc = change(b, &a->items[i], other, &count);
	}
	for (unsigned int i = 0; i < b->nitems && rc == 0; i++)
		if (counterpart(a, &b->items[i]) == NULL)
			rc = change(b, NULL, &b->items[i], &count);
	if (a->view.json)
		fputs("\n]\n", stdout);
	else if (count == 0 && rc == 0)
		puts("no difference");
	return rc;
}

/* One profile with all that is in force in it. -EINVAL: said. */
static int open_side(
	struct kd_diff_side *side, const struct kd_args *args, const char *profile, uint64_t seed)
{
	struct kd_diags diags = {0};
	struct kd_book *book;
	int rc = kd_list_open(&book, &side->query, args, profile, seed, &diags);

	if (rc >= 0) {
		side->view.book = side->book = book;
		side->view.query = rc > 0 ? &side->query : NULL;
		if (diags.errors > 0 || (diags.warnings > 0 && !args->quiet))
			kd_diags_print(&diags, stderr);
		rc = diags.errors > 0 ? -EINVAL : kd_diff_items(side);
	}
	kd_diags_free(&diags);
	return rc;
}

static int seed_of(const struct kd_args *args, uint64_t *seed)
{
	const char *text = args->value[SEED] != NULL ? args->value[SEED] : "1";
	char *end;

	errno = 0;
	*seed = strtoull(text, &end, 0);
	if (errno != 0 || *end != '\0' || *text < '0' || *text > '9')
		return kd_usage_error(args, "--seed \"%s\": expected a number from 0 to 2^64-1", text);
	return 0;
}

static int run(const struct kd_args *args)
{
	struct kd_diff_side side[2] = {0};
	struct kd_arena *arena;
	uint64_t seed;
	int rc;

	if (args->noperands != 2)
		return kd_usage_error(args, "expected two profiles: null, tspu@DATE..., or a rulebook file");
	rc = seed_of(args, &seed);
	if (rc != 0)
		return rc;
	arena = kd_arena_new();
	rc = arena != NULL ? 0 : -ENOMEM;
	for (unsigned int i = 0; i < 2 && rc == 0; i++) {
		side[i].view = (struct kd_list_view){.arena = arena,
			.profile = true,
			.json = args->value[JSON] != NULL,
			.cite = args->value[CITE] != NULL};
		rc = open_side(&side[i], args, args->operands[i], seed);
	}
	if (rc == 0)
		rc = compare(&side[0], &side[1]);
	kd_book_free(side[0].book);
	kd_book_free(side[1].book);
	kd_arena_free(arena);
	if (rc == -ENOMEM) {
		kd_complain("out of memory while comparing");
		return KD_EXIT_ENVIRONMENT;
	}
	return rc < 0 ? KD_EXIT_CONFIG : KD_EXIT_OK;
}

const struct kd_command kd_command_diff = {
	.name = "diff",
	.summary = "what is new, gone and changed between two profiles, and on what evidence",
	.usage = "diff PROFILE PROFILE [--json] [--cite]",
	.text = "A line each: + is only in the second, - only in the first, ~ is in both and not the same. "
		"In "
		"brackets\n"
		"the grade of its weakest part and the claims it rests on.",
	.options = options,
	.takes_profile = false,
	.run = run,
};

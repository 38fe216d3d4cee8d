/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kordon list samples: the first N boxes of a seed, one row each, with what tells them from one another. A
 * value that all of them drew alike is left out. Which values there are is for whoever draws them to say.
 */
#include "cmd/list.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/table.h"
#include "rulebook/boxes.h"

#define SAMPLE_MAX 1000
#define SHORT_HASH 12

/* What is kept of a sampled box: its policy is gone before the next is made. */
struct box {
	const char *hash;
	struct kd_drawn *drawn;
	uint32_t ndrawn;
};

static bool has(const struct box *box, const char *what)
{
	for (uint32_t i = 0; i < box->ndrawn; i++)
		if (strcmp(box->drawn[i].what, what) == 0)
			return true;
	return false;
}

/* Of a path of several boxes, each value once: what bears one name is drawn alike at all of them. */
static int keep(struct kd_arena *arena, const struct kd_boxes *boxes, struct box *ret)
{
	uint32_t most = 1;

	for (unsigned int b = 0; b < boxes->n; b++)
		most += boxes->policy[b]->ndrawn;
	ret->hash = kd_arena_strndup(arena, boxes->hash, SHORT_HASH);
	ret->drawn = kd_arena_alloc(arena, most * sizeof(*ret->drawn));
	if (ret->hash == NULL || ret->drawn == NULL)
		return -ENOMEM;
	for (unsigned int b = 0; b < boxes->n; b++)
		for (uint32_t i = 0; i < boxes->policy[b]->ndrawn; i++) {
			const struct kd_drawn *from = &boxes->policy[b]->drawn[i];
			struct kd_drawn *d = &ret->drawn[ret->ndrawn];

			if (b > 0 && has(ret, from->what))
				continue;
			d->what = kd_arena_strdup(arena, from->what);
			d->value = kd_arena_strdup(arena, from->value);
			if (d->what == NULL || d->value == NULL)
				return -ENOMEM;
			ret->ndrawn++;
		}
	return 0;
}

/* The value of `what` in a box, or NULL: a box whose rule is not in force has no numbers of it. */
static const char *value_of(const struct box *box, const char *what, uint32_t near)
{
	/* Most boxes draw the same values in the same order. */
	if (near < box->ndrawn && strcmp(box->drawn[near].what, what) == 0)
		return box->drawn[near].value;
	for (uint32_t i = 0; i < box->ndrawn; i++)
		if (strcmp(box->drawn[i].what, what) == 0)
			return box->drawn[i].value;
	return NULL;
}

static bool differs(const struct box *boxes, unsigned int n, const struct kd_drawn *d, uint32_t at)
{
	for (unsigned int i = 0; i < n; i++) {
		const char *value = value_of(&boxes[i], d->what, at);

		if (value == NULL || strcmp(value, d->value) != 0)
			return true;
	}
	return n == 1;
}

static const char *drawn_text(
	struct kd_arena *arena, const struct box *boxes, unsigned int n, unsigned int which)
{
	const struct box *box = &boxes[which];
	const char *text = "";

	for (uint32_t i = 0; i < box->ndrawn && text != NULL; i++)
		if (differs(boxes, n, &box->drawn[i], i))
			text = kd_arena_printf(arena, "%s%s%s=%s", text, text[0] != '\0' ? ", " : "",
				box->drawn[i].what, box->drawn[i].value);
	return text;
}

static int print(struct kd_arena *arena, const struct box *boxes, unsigned int n, bool json)
{
	struct kd_table t = {.arena = arena, .heads = {"box", "hash", "drawn"}, .columns = 3};

	for (unsigned int i = 0; i < n; i++) {
		const char *cells[KD_TABLE_COLUMNS] = {
			kd_arena_printf(arena, "%u", i + 1), boxes[i].hash, drawn_text(arena, boxes, n, i)};

		if (cells[0] == NULL || cells[2] == NULL || kd_table_row(&t, cells) < 0)
			return -ENOMEM;
	}
	return kd_table_print(&t, json, stdout);
}

/* 0, -ENOMEM, or an exit code. */
static int draw(struct kd_arena *arena, const struct kd_args *args, unsigned int number, struct box *ret)
{
	struct kd_args with = *args;
	struct kd_boxes boxes;
	int rc;

	with.profile = kd_arena_printf(arena, "%s~%u", args->profile, number);
	with.quiet |= number > 1; /* the first said it for all */
	if (with.profile == NULL)
		return -ENOMEM;
	rc = kd_cmd_boxes(&boxes, &with);
	if (rc != 0)
		return rc;
	rc = keep(arena, &boxes, ret);
	kd_boxes_free(&boxes);
	return rc;
}

int kd_list_samples(const struct kd_args *args, unsigned int n, bool json)
{
	struct kd_arena *arena;
	struct box *boxes;
	int rc = 0;

	if (args->profile == NULL || strchr(args->profile, '@') == NULL || strchr(args->profile, '~') != NULL)
		return kd_usage_error(args, "samples: expected -p tspu@DATE, without ~K");
	if (n < 1 || n > SAMPLE_MAX)
		return kd_usage_error(args, "--sample: expected a number from 1 to %d", SAMPLE_MAX);
	arena = kd_arena_new();
	boxes = arena != NULL ? kd_arena_alloc(arena, n * sizeof(*boxes)) : NULL;
	rc = boxes != NULL ? 0 : -ENOMEM;
	for (unsigned int i = 0; i < n && rc == 0; i++)
		rc = draw(arena, args, i + 1, &boxes[i]);
	if (rc == 0)
		rc = print(arena, boxes, n, json);
	kd_arena_free(arena);
	if (rc >= 0)
		return rc;
	kd_complain("%s", rc == -ENOMEM ? "out of memory while listing samples" : strerror(-rc));
	return KD_EXIT_ENVIRONMENT;
}

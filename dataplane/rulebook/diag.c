/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Collects what is wrong, prints it in order of place, and guesses what was meant. It does not decide what is
 * an error, and it never ends the program.
 */
#include "rulebook/diag.h"

#include "rulebook/fault.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

int kd_fault(struct kd_fault *f, const char *hint, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(f->message, sizeof(f->message), format, args);
	va_end(args);
	snprintf(f->hint, sizeof(f->hint), "%s", hint != NULL ? hint : "");
	return -EINVAL;
}

static char *copy(const char *s, bool *lost)
{
	char *c;

	if (s == NULL)
		return NULL;
	c = strdup(s);
	if (c == NULL)
		*lost = true;
	return c;
}

static void drop(struct kd_diag *e)
{
	free(e->file);
	free(e->path);
	free(e->message);
	free(e->hint);
}

void kd_diag(struct kd_diags *d, enum kd_diag_level level, const char *file, int line, const char *path,
	const char *hint, const char *format, ...)
{
	struct kd_diag e = {.level = level, .line = line};
	bool lost = false;
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	e.message = len >= 0 ? malloc((size_t)len + 1) : NULL;
	if (e.message != NULL) {
		va_start(args, format);
		vsnprintf(e.message, (size_t)len + 1, format, args);
		va_end(args);
	} else {
		lost = true;
	}
	e.file = copy(file, &lost);
	e.path = copy(path, &lost);
	e.hint = copy(hint, &lost);

	if (!lost && d->count == d->room) {
		unsigned int room = d->room != 0 ? d->room * 2 : 16;
		struct kd_diag *list = realloc(d->list, room * sizeof(*list));

		if (list != NULL) {
			d->list = list;
			d->room = room;
		} else {
			lost = true;
		}
	}
	if (lost) {
		drop(&e);
		d->errors++;
		return;
	}
	d->list[d->count++] = e;
	if (level == KD_DIAG_ERROR)
		d->errors++;
	else
		d->warnings++;
}

static int by_place(const void *a, const void *b)
{
	const struct kd_diag *x = *(const struct kd_diag *const *)a, *y = *(const struct kd_diag *const *)b;
	int c;

	if ((x->file == NULL) != (y->file == NULL))
		return x->file == NULL ? -1 : 1;
	c = x->file != NULL ? strcmp(x->file, y->file) : 0;
	if (c != 0)
		return c;
	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	return x < y ? -1 : x > y; /* one array: what was said first comes first */
}

/* Texts come from files anyone wrote: control characters would let them act on a terminal. */
static void put(FILE *to, const char *s)
{
	for (; *s != '\0'; s++)
		fputc((unsigned char)*s < 0x20 || *s == 0x7f ? '?' : *s, to);
}

static void print_one(const struct kd_diag *e, FILE *to)
{
	if (e->file != NULL) {
		put(to, e->file);
		if (e->line > 0)
			fprintf(to, ":%d", e->line);
		fputs(": ", to);
	}
	if (e->path != NULL && e->path[0] != '\0') {
		put(to, e->path);
		fputs(": ", to);
	}
	if (e->level == KD_DIAG_WARNING)
		fputs("warning: ", to);
	put(to, e->message);
	fputc('\n', to);
	if (e->hint != NULL && e->hint[0] != '\0') {
		fputs("    ", to);
		put(to, e->hint);
		fputc('\n', to);
	}
}

void kd_diags_print(const struct kd_diags *d, FILE *to)
{
	const struct kd_diag **order;

	if (d->errors == 0 && d->warnings == 0)
		return;
	order = d->count > 0 ? malloc(d->count * sizeof(struct kd_diag *)) : NULL;
	if (order != NULL) {
		for (unsigned int i = 0; i < d->count; i++)
			order[i] = &d->list[i];
		qsort(order, d->count, sizeof(struct kd_diag *), by_place);
	}
	for (unsigned int i = 0; i < d->count; i++)
		print_one(order != NULL ? order[i] : &d->list[i], to);
	free(order);
	fprintf(to, "%u error%s, %u warning%s\n", d->errors, d->errors == 1 ? "" : "s", d->warnings,
		d->warnings == 1 ? "" : "s");
}

void kd_diags_free(struct kd_diags *d)
{
	for (unsigned int i = 0; i < d->count; i++)
		drop(&d->list[i]);
	free(d->list);
	*d = (struct kd_diags){0};
}

#define WORD_MAX 64

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static unsigned int least(unsigned int a, unsigned int b)
{
	return a < b ? a : b;
}

/* Edits between two words: insert, delete, replace, swap neighbours; case counts for nothing. */
static unsigned int distance(const char *a, size_t an, const char *b, size_t bn)
{
	unsigned int rows[3][WORD_MAX + 1], *before = rows[0], *last = rows[1], *row = rows[2], *swap;

	for (size_t j = 0; j <= bn; j++)
		last[j] = (unsigned int)j;
	for (size_t i = 1; i <= an; i++) {
		row[0] = (unsigned int)i;
		for (size_t j = 1; j <= bn; j++) {
			unsigned int same = lower(a[i - 1]) == lower(b[j - 1]) ? 0 : 1;

			row[j] = least(least(last[j] + 1, row[j - 1] + 1), last[j - 1] + same);
			if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) &&
				lower(a[i - 2]) == lower(b[j - 1]))
				row[j] = least(row[j], before[j - 2] + 1);
		}
		swap = before;
		before = last;
		last = row;
		row = swap;
	}
	return last[bn];
}

char *kd_did_you_mean(const char *word, const char *words)
{
	size_t len = strlen(word), near_len = 0, n;
	unsigned int best = ~0u, edits;
	const char *nearest = NULL;

	if (len == 0 || len > WORD_MAX)
		return NULL;
	for (const char *w = words; *w != '\0'; w += n + (w[n] == '|')) {
		n = strcspn(w, "|");
		if (n == 0 || n > WORD_MAX)
			continue;
		edits = distance(word, len, w, n);
		/* A third of the longer word may be wrong: "protcol", "ressett"; not "drop" for "trap". */
		if (edits < best && edits * 3 <= (len > n ? len : n)) {
			best = edits;
			nearest = w;
			near_len = n;
		}
	}
	return nearest != NULL ? strndup(nearest, near_len) : NULL;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Prints tables. Widths count code points, not bytes; no terminal is asked, so the output is the same
 * everywhere.
 */
#include "cmd/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "report/json.h"

int kd_table_row(struct kd_table *t, const char *const cells[KD_TABLE_COLUMNS])
{
	t->cells = kd_arena_grow(t->arena, t->cells, t->rows, sizeof(*t->cells));
	if (t->cells == NULL)
		return -ENOMEM;
	memcpy(t->cells[t->rows++], cells, sizeof(*t->cells));
	return 0;
}

static size_t width(const char *s)
{
	size_t n = 0;

	for (; s != NULL && *s != '\0'; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

static void print_row(const struct kd_table *t, const char *const *cells, const size_t *widths, FILE *to)
{
	unsigned int last = t->columns;
	size_t pad = 0;

	/* No blanks at the end of a line. */
	while (last > 0 && width(cells[last - 1]) == 0)
		last--;
	for (unsigned int c = 0; c < last; c++) {
		fprintf(to, "%*s%s", (int)pad, "", cells[c] != NULL ? cells[c] : "");
		pad = widths[c] - width(cells[c]) + 2;
	}
	fputc('\n', to);
}

static void print_text(const struct kd_table *t, FILE *to)
{
	size_t widths[KD_TABLE_COLUMNS] = {0};

	for (unsigned int c = 0; c < t->columns; c++) {
		widths[c] = width(t->heads[c]);
		for (unsigned int r = 0; r < t->rows; r++)
			if (width(t->cells[r][c]) > widths[c])
				widths[c] = width(t->cells[r][c]);
	}
	print_row(t, t->heads, widths, to);
	for (unsigned int r = 0; r < t->rows; r++)
		print_row(t, t->cells[r], widths, to);
}

static int print_json(const struct kd_table *t, FILE *to)
{
	char *buf = malloc(KD_TABLE_JSON_ROOM);
	struct kd_json j;
	int rc = 0;

	if (buf == NULL)
		return -ENOMEM;
	fputs("[", to);
	for (unsigned int r = 0; r < t->rows && rc == 0; r++) {
		kd_json_start(&j, buf, KD_TABLE_JSON_ROOM);
		kd_json_open(&j, NULL, '{');
		for (unsigned int c = 0; c < t->columns; c++)
			if (t->cells[r][c] != NULL && t->cells[r][c][0] != '\0')
				kd_json_str(&j, t->heads[c], t->cells[r][c]);
		kd_json_close(&j, '}');
		if (j.full)
			rc = -ENOMEM;
		else
			fprintf(to, "%s\n%.*s", r > 0 ? "," : "", (int)j.len, buf);
	}
	fputs("\n]\n", to);
	free(buf);
	return rc;
}

int kd_table_print(const struct kd_table *t, bool json, FILE *to)
{
	if (json)
		return print_json(t, to);
	print_text(t, to);
	return 0;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The numbers and grades of the shipped rulebook against tests/policy/seed.tsv, which was copied by hand from
 * the tables that they were drawn from. Whether they do anything is asked elsewhere.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rulebook/claims.h"
#include "rulebook/setting.h"

static const char *shipped(void)
{
	const char *from = getenv("KORDON_POLICIES");

	return from != NULL ? from : "policies";
}

#define SEED_CELLS 5

/* "obit 0.14 %; 0.084 %": each with the ISP that it is limited to; "-" is none. */
static bool seed_misses(const struct kd_book *book, const struct kd_book_rule *r, const char *cell)
{
	char text[400] = "-";
	size_t n = 0;

	for (unsigned int i = 0; i < r->nmisses; i++) {
		const struct kd_miss *m = &r->misses[i];
		unsigned int isp = m->scope.isps != 0 ? (unsigned int)__builtin_ctzll(m->scope.isps) : 0;

		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s%s%s", i > 0 ? "; " : "",
			m->scope.isps != 0 ? book->isps[isp].id : "", m->scope.isps != 0 ? " " : "",
			m->value.text);
		assert_true(n < sizeof(text));
	}
	return strcmp(text, cell) == 0;
}

/* Whether the book says what a row of the transcription says. */
static bool seed_row(const struct kd_book *book, char *const cells[SEED_CELLS])
{
	if (strcmp(cells[0], "claim") == 0) {
		const struct kd_claim *c = kd_book_claim(book, cells[1], strlen(cells[1]));

		return c != NULL && strcmp(c->tag, cells[2]) == 0 &&
		       strcmp(kd_grade_name(c->grade), cells[3]) == 0;
	}
	for (unsigned int i = 0; strcmp(cells[0], "rule") == 0 && i < book->nrules; i++) {
		const struct kd_book_rule *r = &book->rules[i];

		if (strcmp(r->id, cells[1]) == 0)
			return strcmp(r->residual.given ? r->residual.time.text : "-", cells[2]) == 0 &&
			       seed_misses(book, r, cells[3]) &&
			       strcmp(r->then != NULL ? r->then + 1 : "-", cells[4]) == 0;
	}
	for (unsigned int i = 0; strcmp(cells[0], "setting") == 0 && i < book->nsettings; i++) {
		const struct kd_book_setting *s = &book->settings[i];
		const char *since = s->scope.since_text != NULL ? s->scope.since_text : "-";

		if (strcmp(kd_setting_rows[s->key].key, cells[1]) == 0 && strcmp(since, cells[2]) == 0)
			return strcmp(s->values[0].text, cells[3]) == 0 &&
			       strcmp(kd_grade_name(s->evidence.grade[KD_PART_NUMBERS]), cells[4]) == 0;
	}
	return false;
}

/* The numbers and grades of the book are those of the sources' tables, no more and no fewer. */
static void seed_numbers(void **state)
{
	struct kd_diags diags = {0};
	struct kd_book *book;
	unsigned int rows = 0;
	char *line = NULL, *path;
	size_t room = 0;
	FILE *file;

	(void)state;
	assert_int_equal(kd_book_load(&book, shipped(), NULL, &diags), 0);
	assert_int_equal(diags.count, 0);
	assert_true(asprintf(&path, "%s/../tests/policy/seed.tsv", shipped()) > 0);
	file = fopen(path, "re");
	assert_non_null(file);
	while (getline(&line, &room, file) >= 0) {
		char *cells[SEED_CELLS], *rest = line;

		if (line[0] == '#')
			continue;
		line[strcspn(line, "\n")] = '\0';
		for (unsigned int i = 0; i < SEED_CELLS; i++) {
			cells[i] = strsep(&rest, "\t");
			if (cells[i] == NULL)
				cells[i] = line + strlen(line); /* "" */
		}
		rows++;
		if (!seed_row(book, cells))
			fail_msg("%s %s: not so in the rulebook", cells[0], cells[1]);
	}
	assert_int_equal(rows, book->nclaims + book->nrules + book->nsettings);
	fclose(file);
	free(line);
	free(path);
	kd_book_free(book);
	kd_diags_free(&diags);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(seed_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

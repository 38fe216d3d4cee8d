/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The numbered cases, read from their transcription (cases.tsv: case, query, input, expected, source, grade).
 * A scenario may only claim a case that stands there, under the profile that stands there.
 */
#include "run.h"

#include <stdlib.h>
#include <string.h>

#define COLUMNS 6

struct one_case {
	const char *column[COLUMNS]; /* case, query, input, expected, source, grade */
	unsigned int ok, failed;
	char profiles[256]; /* of the scenarios that ran */
};

struct cases {
	char *text;
	struct one_case *list;
	unsigned int count;
};

static bool split_row(char *row, struct one_case *one)
{
	memset(one, 0, sizeof(*one));
	for (unsigned int i = 0; i < COLUMNS; i++) {
		one->column[i] = row;
		row += strcspn(row, "\t");
		if (*row == '\0' && i + 1 < COLUMNS)
			return false;
		*row++ = '\0';
	}
	return true;
}

static char *read_all(FILE *f)
{
	char *text = NULL;
	size_t len = 0, got = 0;

	do {
		char *more = realloc(text, len + 4097);

		if (more == NULL)
			break;
		text = more;
		got = fread(text + len, 1, 4096, f);
		len += got;
		text[len] = '\0';
	} while (got != 0);
	return text;
}

struct cases *cases_load(const char *path)
{
	FILE *f = fopen(path, "r");
	struct cases *c;
	char *row, *next;

	if (f == NULL)
		return NULL;
	c = calloc(1, sizeof(*c));
	if (c != NULL)
		c->text = read_all(f);
	fclose(f);
	if (c == NULL || c->text == NULL) {
		free(c);
		return NULL;
	}
	for (row = c->text; *row != '\0'; row = next) {
		struct one_case one;

		next = row + strcspn(row, "\n");
		if (*next == '\n')
			*next++ = '\0';
		if (split_row(row, &one) && strncmp(one.column[0], "C-", 2) == 0)
			*(struct one_case *)scn_grow((void **)&c->list, &c->count, sizeof(one)) = one;
	}
	return c;
}

void cases_free(struct cases *c)
{
	if (c == NULL)
		return;
	free(c->text);
	free(c->list);
	free(c);
}

static struct one_case *find(const struct cases *c, const char *id)
{
	for (unsigned int i = 0; i < c->count; i++)
		if (strcmp(c->list[i].column[0], id) == 0)
			return &c->list[i];
	return NULL;
}

/*
 * A case may name several queries in a sentence: the profile must be one of its words. A sampled box of that
 * query (~K) is one of its boxes: so a case chooses a variant that a plain query does not take.
 */
static bool has_word(const char *text, const char *word)
{
	size_t len = strcspn(word, "~");

	for (const char *at = text; *at != '\0'; at++)
		if (strncmp(at, word, len) == 0 && (at == text || at[-1] == ' ') &&
			(at[len] == '\0' || at[len] == ' ' || at[len] == ','))
			return true;
	return false;
}

void cases_check(const struct cases *c, const struct scn *s, char *why, size_t room)
{
	const struct one_case *one;

	why[0] = '\0';
	if (s->case_id[0] == '\0')
		return;
	one = c != NULL ? find(c, s->case_id) : NULL;
	if (one == NULL)
		snprintf(why, room, "expected a case of cases.tsv, got %s", s->case_id);
	else if (s->policies[0] != '\0')
		snprintf(why, room, "expected the shipped rulebook for %s, got %s", s->case_id, s->policies);
	else if (!has_word(one->column[1], s->profile))
		snprintf(why, room, "expected the profile of %s, %s, got %s", s->case_id, one->column[1],
			s->profile);
}

void cases_note(struct cases *c, const struct scn *s, bool ok)
{
	struct one_case *one = c != NULL && s->case_id[0] != '\0' ? find(c, s->case_id) : NULL;
	size_t len;

	if (one == NULL)
		return;
	one->ok += ok;
	one->failed += !ok;
	len = strlen(one->profiles);
	if (strstr(one->profiles, s->profile) == NULL)
		snprintf(one->profiles + len, sizeof(one->profiles) - len, "%s%s", len != 0 ? ", " : "",
			s->profile);
}

/* UTF-8: bytes that begin a character. */
static int wide(const char *text)
{
	int n = 0;

	for (; *text != '\0'; text++)
		n += (*text & 0xc0) != 0x80;
	return n;
}

static const char *profiles_of(const struct one_case *one)
{
	return one->profiles[0] != '\0' ? one->profiles : one->column[1];
}

void cases_print(const struct cases *c)
{
	unsigned int ok = 0, failed = 0;
	int profile = 7, expected = 8;

	for (unsigned int i = 0; c != NULL && i < c->count; i++) {
		const struct one_case *one = &c->list[i];

		profile = wide(profiles_of(one)) > profile ? wide(profiles_of(one)) : profile;
		expected = wide(one->column[3]) > expected ? wide(one->column[3]) : expected;
	}
	printf("%-5s %-*s %-*s %-7s %s\n", "case", profile, "profile", expected, "expected", "got", "source");
	for (unsigned int i = 0; c != NULL && i < c->count; i++) {
		const struct one_case *one = &c->list[i];
		const char *got = one->failed != 0 ? "not ok" : one->ok != 0 ? "ok" : "-";

		printf("%-5s %-*s %s%*s %-7s %s\n", one->column[0], profile, profiles_of(one), one->column[3],
			expected - wide(one->column[3]), "", got, one->column[4]);
		failed += one->failed != 0;
		ok += one->failed == 0 && one->ok != 0;
	}
	printf("%u of %u cases have a scenario, %u not ok\n", ok + failed, c != NULL ? c->count : 0, failed);
}

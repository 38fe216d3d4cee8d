/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the tests of the rulebook's readers share: a small rulebook in a folder of its own, and what loading a
 * text over it says. In texts given here ' stands for ".
 */
#ifndef KD_TEST_SMALL_BOOK_H
#define KD_TEST_SMALL_BOOK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "rulebook/book.h"
#include "rulebook/diag.h"

static char dir[] = "/tmp/kordon-book-test-XXXXXX";

static const struct small_file {
	const char *name, *text;
} small_files[] = {
	{"claims.cfg",
		"claims = ( { id = 'X-THR-2021'; source = 'example.org/a'; date = '2021-03-10..2022-10';\n"
		"  tag = 'P'; grade = 'measured'; read = 'primary'; text = 't'; used_by = 'program'; } );\n"},
	{"rulebook/places.cfg", "isps = ( { id = 'one'; title = 'One'; networks = [ 'home' ]; } );\n"
				"tags = { cloud = { title = 'Cloud'; lab = [ '198.18.16.0/24' ];\n"
				"  evidence = { target = [ 'X-THR-2021' ]; }; }; };\n"},
	{"signatures/s.cfg",
		"signatures = ( { id = 'hi'; transport = 'any'; pattern = '^\\\\x01'; must = '01';\n"
		"  must_not = '02'; evidence = { match = [ 'X-THR-2021' ]; }; } );\n"},
	{"rulebook/rules.cfg", ""},
	{"own.cfg", ""},
};

#define SMALL_FILES (sizeof(small_files) / sizeof(small_files[0]))

/* With " for '; a heap string. */
static inline char *quoted(const char *text)
{
	char *copy = strdup(text);

	assert_non_null(copy);
	for (char *p = copy; *p != '\0'; p++)
		if (*p == '\'')
			*p = '"';
	return copy;
}

static inline char *in_dir(const char *name)
{
	char *path;

	assert_true(asprintf(&path, "%s/%s", dir, name) > 0);
	return path;
}

static inline void put_file(const char *name, const char *text)
{
	char *path = in_dir(name), *right = quoted(text);
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(right, f) >= 0);
	assert_int_equal(fclose(f), 0);
	free(right);
	free(path);
}

static inline int make_book(void **state)
{
	static const char *const folders[] = {"rulebook", "signatures"};

	(void)state;
	if (mkdtemp(dir) == NULL)
		return -1;
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		char *path = in_dir(folders[i]);

		if (mkdir(path, 0755) < 0)
			return -1;
		free(path);
	}
	for (size_t i = 0; i < SMALL_FILES; i++)
		put_file(small_files[i].name, small_files[i].text);
	return 0;
}

static inline int drop_book(void **state)
{
	static const char *const folders[] = {"rulebook", "signatures"};

	(void)state;
	for (size_t i = 0; i < SMALL_FILES; i++) {
		char *path = in_dir(small_files[i].name);

		unlink(path);
		free(path);
	}
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		char *path = in_dir(folders[i]);

		rmdir(path);
		free(path);
	}
	return rmdir(dir);
}

struct loaded {
	struct kd_diags diags;
	struct kd_book *book;
};

/* As a file of one's own, or as the rules of the rulebook. */
static inline struct loaded load(bool as_own, const char *text)
{
	struct loaded l = {.book = NULL};
	char *file = in_dir("own.cfg");

	put_file(as_own ? "own.cfg" : "rulebook/rules.cfg", text);
	assert_int_equal(kd_book_load(&l.book, dir, as_own ? file : NULL, &l.diags), 0);
	free(file);
	return l;
}

static inline void drop(struct loaded *l)
{
	kd_book_free(l->book);
	kd_diags_free(&l->diags);
}

/* A hint names files; the folder is another one in each run. */
static inline void put_hint(FILE *f, const char *hint)
{
	const char *at = strstr(hint, dir);

	if (at == NULL)
		fprintf(f, " | %s", hint);
	else
		fprintf(f, " | %.*sDIR%s", (int)(at - hint), hint, at + strlen(dir));
}

/* PATH: MESSAGE | HINT a line, warnings with a ? before. */
static inline char *said(const struct kd_diags *diags)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	assert_non_null(f);
	for (unsigned int i = 0; i < diags->count; i++) {
		const struct kd_diag *d = &diags->list[i];

		fprintf(f, "%s%s: %s", d->level == KD_DIAG_WARNING ? "?" : "",
			d->path != NULL ? d->path : "-", d->message);
		if (d->hint != NULL)
			put_hint(f, d->hint);
		fputc('\n', f);
	}
	fclose(f);
	return text;
}

/* What was said is each line of `expected` and nothing else, in whatever order. A line that ends in ... is
 * the start of one. */
static inline void check_said(const struct kd_diags *diags, const char *text, const char *expected)
{
	char *got = said(diags), *all = quoted(expected);
	size_t lines = 0, n;
	bool right = true;

	for (const char *e = all; *e != '\0'; e += n, lines++) {
		char *line;

		n = strcspn(e, "\n") + 1;
		line = strndup(e, n);
		if (n > 4 && strcmp(line + n - 4, "...\n") == 0)
			line[n - 4] = '\0';
		right = right && strstr(got, line) != NULL;
		free(line);
	}
	if (!right || diags->count != lines) {
		print_error("in\n%s\n", text);
		print_error("expected\n%s", all);
		print_error("but it said\n%s", got);
		fail();
	}
	free(all);
	free(got);
}

static inline void says_of(bool as_own, const char *text, const char *expected)
{
	struct loaded l = load(as_own, text);

	check_said(&l.diags, text, expected);
	drop(&l);
}

static inline void own(const char *text, const char *expected)
{
	says_of(true, text, expected);
}

/* Loads what is right. */
static inline struct loaded fine(bool as_own, const char *text)
{
	struct loaded l = load(as_own, text);

	check_said(&l.diags, text, "");
	return l;
}

static inline const struct kd_book_rule *rule_of(const struct loaded *l, const char *id)
{
	unsigned int i = kd_book_rule_find(l->book, id);

	if (i == 0)
		fail_msg("no rule %s", id);
	return &l->book->rules[i - 1];
}

/* The rule states that number and no other under the key. */
static inline void has_number(const struct kd_book_rule *r, const char *key, unsigned int kind,
	uint64_t value, uint64_t lo, uint64_t hi)
{
	unsigned int found = 0;

	for (unsigned int i = 0; i < r->nnumbers; i++) {
		const struct kd_book_number *n = &r->numbers[i];

		if (strcmp(n->key, key) != 0)
			continue;
		found++;
		assert_int_equal(n->kind, kind);
		assert_true(n->n.value == value && n->n.lo == lo && n->n.hi == hi);
		assert_true(n->n.ranged == (lo != hi));
		assert_non_null(n->text);
	}
	assert_int_equal(found, 1);
}

static inline bool needs(const struct kd_book_rule *r, const char *what)
{
	for (unsigned int i = 0; i < r->needs.n; i++)
		if (strcmp(r->needs.what[i], what) == 0)
			return true;
	return false;
}

#define RULES(text) "rules = ( " text " );\n"
/* A rule of a kind of flow, and more. */
#define TLS(id, more) "{ id = '" id "'; phase = 'protocol'; when = { protocol = 'tls'; }; " more " }"
#define HTTP(id, more) "{ id = '" id "'; phase = 'protocol'; when = { protocol = 'http'; }; " more " }"
/* The same in the rulebook, in a phase. */
#define BOOK(id, phase, more)                                                                                \
	"{ id = '" id "'; since = '2022-01'; phase = '" phase "'; when = { protocol = 'tls'; }; " more " }"
#define DROP "then = { mechanism = 'drop'; }; "
#define RESIDUAL(more) DROP "residual = { key = '4-tuple'; time = '75 s'; " more " }; "

#endif

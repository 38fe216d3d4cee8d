/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sources.bib and what may be cited: the entries a bibliography kept by hand has, each mistake with its line,
 * and the forms of a claim's source. Texts are handed over in copies of their exact size.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rulebook/bib.h"

struct world {
	struct kd_book book;
	struct kd_diags diags;
};

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	w->book.arena = kd_arena_new();
	assert_non_null(w->book.arena);
	w->book.diags = &w->diags;
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	kd_diags_free(&w->diags);
	kd_arena_free(w->book.arena);
	free(w);
	return 0;
}

static void parse(struct world *w, const char *text)
{
	size_t len = strlen(text);
	char *copy = malloc(len > 0 ? len : 1);

	assert_non_null(copy);
	memcpy(copy, text, len);
	kd_bib_parse(&w->book, "sources.bib", copy, len);
	free(copy);
}

static const char paper[] = "% one paper\n"
			    "@inproceedings{xue2022tspu,\n"
			    "  author = {Xue and others},\n"
			    "  title = {{TSPU}: {Russia}'s\n"
			    "           Decentralized System},\n"
			    "  booktitle = \"IMC\",\n"
			    "  year = 2022,\n"
			    "}\n";

static void assert_text(struct world *w, const char *source, const char *text)
{
	assert_string_equal(kd_bib_text(&w->book, w->book.arena, source), text);
}

static void test_text(void **state)
{
	struct world *w = *state;

	parse(w, paper);
	parse(w, "@misc{two, author = {Ann Bee and Cid Dee}, title = {Report}, year = {2021}, url = "
		 "{a.example/r}}");
	assert_int_equal(w->diags.count, 0);
	assert_text(w, "xue2022tspu", "Xue et al., TSPU: Russia's Decentralized System, IMC 2022");
	assert_text(w, "xue2022tspu, Table 2, p. 7",
		"Xue et al., TSPU: Russia's Decentralized System, IMC 2022, Table 2, p. 7");
	assert_text(w, "two", "Ann Bee, Cid Dee, Report, 2021, a.example/r");
	parse(w, "@misc{three, author = {Bee, Ann B. and {Dee} and others}, title = {T}, year = 2020}");
	assert_text(w, "three", "Ann B. Bee, Dee et al., T, 2020");
	assert_text(w, "net4people/bbs#490", "net4people/bbs#490");
	assert_int_equal(kd_bib_key(&w->book, "xue2022tspu, p. 7"), strlen("xue2022tspu"));
	assert_int_equal(kd_bib_key(&w->book, "xue2022"), 0);
}

/* Everything of the entry, so that another BibTeX can read it. */
static void test_print(void **state)
{
	struct world *w = *state;
	char *buf = NULL;
	size_t len;
	FILE *f = open_memstream(&buf, &len);

	assert_non_null(f);
	parse(w, paper);
	assert_true(kd_bib_print(&w->book, "xue2022tspu, p. 6", f));
	assert_false(kd_bib_print(&w->book, "net4people/bbs#490", f));
	assert_int_equal(fclose(f), 0);
	assert_string_equal(buf, "@inproceedings{xue2022tspu,\n"
				 "  author = {Xue and others},\n"
				 "  title = {{TSPU}: {Russia}'s Decentralized System},\n"
				 "  booktitle = {IMC},\n"
				 "  year = {2022}\n"
				 "}\n");
	free(buf);
}

static void assert_said(struct world *w, const char *text, int line, const char *message)
{
	kd_diags_free(&w->diags);
	w->book.bib = NULL;
	parse(w, text);
	assert_int_equal(w->diags.errors, 1);
	assert_string_equal(w->diags.list[0].file, "sources.bib");
	assert_int_equal(w->diags.list[0].line, line);
	if (strstr(w->diags.list[0].message, message) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", message, w->diags.list[0].message);
}

#define REST "author = {A}, title = {T}, year = 2022}"

static void test_mistakes(void **state)
{
	struct world *w = *state;

	assert_said(w, "\nhello\n", 2, "expected @KIND{KEY, ...");
	assert_said(w, "@inproceeding{a, " REST, 1, "unknown kind of entry \"inproceeding\"");
	assert_said(w, "@misc{}", 1, "expected @KIND{KEY, ...");
	assert_said(
		w, "@misc{a,\n autor = {A}, " REST, 2, "unknown field \"autor\" - did you mean \"author\"?");
	assert_non_null(strstr(w->diags.list[0].hint, "known: author, title, booktitle, "));
	assert_said(w, "@misc{a, year = 2021, " REST, 1, "\"year\" stands twice");
	assert_said(w, "@misc{a, title = {T}, year = 2022}", 1, "\"author\" is missing");
	assert_said(w, "@misc{a, author = {A}, year = 2022}", 1, "\"title\" is missing");
	assert_said(w, "@misc{a, author = {A}, title = {T}}", 1, "\"year\" is missing");
	assert_said(w, "@misc{a, author = {A}, title = {T}, year = 22}", 1, "\"22\" is not a year");
	assert_said(w, "@misc{a, author = {A}, title = {T}, year = {20222}}", 1, "\"20222\" is not a year");
	assert_said(w, "@misc{a, note = {M\\\"uller}, " REST, 1, "a backslash");
	assert_said(w, "@misc{a, note = {a\001b}, " REST, 1, "a control character");
	assert_said(w, "@misc{a, note = {{ }}, " REST, 1, "an empty value");
	assert_said(w, "@misc{a,\n\n note = {b", 3, "} is missing");
	assert_said(w, "@misc{a, note = \"b", 1, "a quote is missing");
	assert_said(w, "@misc{a, note = \"b}\"", 1, "a quote is missing");
	assert_said(w, "@misc{a, note = b}", 1, "expected a value");
	assert_said(w, "@misc{a, note {b}}", 1, "expected = after \"note\"");
	assert_said(w, "@misc{a, author = {A}, title = {T}, year = 2022 note = {b}}", 1, "expected , or }");
	assert_said(w, "@misc{a, " REST "\n@misc{a, " REST, 2, "double key: \"a\"");
}

/* What is wrong with one entry does not hide the next, nor what is wrong with that. */
static void test_all_at_once(void **state)
{
	struct world *w = *state;

	parse(w, "@misc{a, note = b}\n@misc{b, " REST "\n@misc{c, note {d}}\n");
	assert_int_equal(w->diags.errors, 2);
	assert_int_equal(w->diags.list[0].line, 1);
	assert_int_equal(w->diags.list[1].line, 3);
	assert_text(w, "b", "A, T, 2022");
}

static void test_sources(void **state)
{
	static const char *const good[] = {"xue2022tspu",
		"xue2022tspu, Table 2, p. 7 (quoted in a/b, row T06)", "net4people/bbs#490",
		"net4people/bbs#490, comment of 2025-06-28", "XTLS/Xray-core PR#7",
		"SecretLabOU/BlockAMole, rows.md", "censoredplanet.org/tspu", "example.org",
		"forklog.com/en/roskomnadzor-began", "a.example/b, section 4"};
	static const char *const bad[] = {"", "xue2022", "Xue et al., IMC 2022", "bbs#490", "net4people/bbs",
		"net4people/bbs#", "net4people/bbs#4a", "net4people/bbs #490", "net4people/#490",
		"net4people/bbs PR7", "https://censoredplanet.org/tspu", "http://a.example/b", "a.example/",
		"a.example/b c", "xue2022tspu,", "xue2022tspu, ", "xue2022tspu,p. 7", ".example/b",
		"net 4/bbs#1", "/bbs#1", "net4people #490"};
	struct world *w = *state;
	struct kd_fault fault;

	parse(w, paper);
	for (unsigned int i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (kd_bib_source(&w->book, good[i], &fault) != 0)
			fail_msg("\"%s\": %s", good[i], fault.message);
	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (kd_bib_source(&w->book, bad[i], &fault) != -EINVAL)
			fail_msg("\"%s\" was taken", bad[i]);
	assert_int_equal(kd_bib_source(&w->book, "xeu2022tspu", &fault), -EINVAL);
	assert_non_null(strstr(fault.message, "did you mean \"xue2022tspu\"?"));
}

static void test_no_file(void **state)
{
	struct world *w = *state;
	struct kd_fault fault;

	w->book.dir = "/nonexistent";
	kd_bib_read(&w->book);
	assert_int_equal(w->diags.count, 0);
	assert_null(w->book.bib);
	assert_int_equal(kd_bib_source(&w->book, "xue2022tspu", &fault), -EINVAL);
	assert_int_equal(kd_bib_source(&w->book, "net4people/bbs#490", &fault), 0);
	assert_text(w, "xue2022tspu", "xue2022tspu");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_text, setup, teardown),
		cmocka_unit_test_setup_teardown(test_print, setup, teardown),
		cmocka_unit_test_setup_teardown(test_mistakes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_all_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sources, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_file, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

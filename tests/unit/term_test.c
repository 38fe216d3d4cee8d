/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Name terms, tags and address terms as rules write them, against the words of term.h, and every mistake that
 * a user may make in one.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "desk.h"

#include "rulebook/term.h"
#include "rulebook/when.h"

static void test_name_term(void **state)
{
	struct kd_name_term a, b, c;
	struct desk *d = *state;

	put(d, "one.txt", "one.test\n");
	put(d, "two.txt", "two.test\n");
	kd_term_read(&d->book,
		setting(d, "it = [ \"@two\", \"b.test\", \"A.test\", \"@one\", \"b.test\", \"@two\" ];"), &a);
	kd_term_read(&d->book, setting(d, "it = [ \"a.test\", \"@one\", \"@two\", \"b.test\" ];"), &b);
	kd_term_read(&d->book, setting(d, "it = [ \"a.test\", \"@one\", \"^b.test\" ];"), &c);
	assert_int_equal(d->diags.count, 0);
	assert_int_equal(a.own.count, 2);
	assert_name(&a.own.names[0], "a.test", "a.test", BOTH);
	assert_name(&a.own.names[1], "b.test", "b.test", BOTH);
	assert_int_equal(a.nlists, 2);
	assert_string_equal(a.lists[0]->name, "one");
	assert_string_equal(a.lists[1]->name, "two");
	assert_true(kd_name_term_same(&a, &b));
	assert_false(kd_name_term_same(&a, &c));
	kd_term_read(&d->book, setting(d, "it = \"one.test\";"), &a);
	assert_int_equal(a.own.count, 1);
	assert_int_equal(a.nlists, 0);
}

static void test_name_term_mistakes(void **state)
{
	struct kd_name_term term;
	struct desk *d = *state;

	kd_term_read(&d->book,
		setting(d, "it = [ \"exa mple.com\", \"^g*.test\", \"/(/\", \"@none\", \"\xd0.test\", "
			   "\"ok.test\" ];"),
		&term);
	assert_int_equal(term.own.count, 1);
	assert_int_equal(term.nlists, 0);
	assert_int_equal(d->diags.errors, 5);
	said(d, 0, KD_DIAG_ERROR, "\"exa mple.com\" is not a host name",
		"a space or control character cannot stand in one");
	said(d, 1, KD_DIAG_ERROR, "\"^g*.test\" is both exact and a pattern", NULL);
	said(d, 2, KD_DIAG_ERROR, "\"/(/\" is not a pattern", NULL);
	said(d, 3, KD_DIAG_ERROR, "unknown list \"@none\"", NULL);
	said(d, 4, KD_DIAG_ERROR, "\"\xd0.test\" is not a host name", NULL);
	assert_true(strlen(d->diags.list[4].hint) > 0); /* libidn2's own words */
}

static void test_hyphen(void **state)
{
	struct kd_name_term term;
	struct desk *d = *state;

	kd_term_read(&d->book, setting(d, "it = [ \"-\", \"^-\", \"a-.example\" ];"), &term);
	assert_int_equal(term.own.count, 1);
	assert_int_equal(d->diags.count, 2);
	said(d, 0, KD_DIAG_ERROR, "\"-\" is not a host name", "it is only a hyphen");
	said(d, 1, KD_DIAG_ERROR, "\"^-\" is not a host name", "it is only a hyphen");
}

static void test_name_term_other_letters(void **state)
{
	struct kd_name_term term;
	struct desk *d = *state;

	kd_term_read(&d->book, setting(d, "it = [ \"пример.рф\", \"xn--e1afmkfd.xn--p1ai\" ];"), &term);
	assert_int_equal(term.own.count, 1);
	assert_name(&term.own.names[0], "xn--e1afmkfd.xn--p1ai", "xn--e1afmkfd.xn--p1ai", BOTH);
	said(d, 0, KD_DIAG_WARNING, "\"пример.рф\" is written \"xn--e1afmkfd.xn--p1ai\"", NULL);
	kd_term_read(&d->book, setting(d, "it = [ \"пример.рф\" ];"), &term);
	assert_int_equal(d->diags.count, 1);
}

static void read_tags(struct desk *d, const char *text)
{
	assert_int_equal(config_read_string(&d->config, text), CONFIG_TRUE);
	kd_tags_read(&d->book, config_root_setting(&d->config));
}

static void test_tags(void **state)
{
	const struct kd_book_tag *tag;
	struct kd_address_term term;
	struct desk *d = *state;

	put(d, "cf.txt", "104.16.0.0/13\n");
	read_tags(d, "tags = { cloudflare = { title = \"Cloudflare\"; lab = [ \"198.18.16.0/24\", "
		     "\"2001:db8:16::/48\", \"198.18.16.0/24\" ]; real = \"lists/cf.txt\"; };\n"
		     "meta = { lab = \"10.9.0.0/16\"; }; };");
	assert_int_equal(d->diags.count, 0);
	assert_int_equal(d->book.ntags, 2);
	tag = &d->book.tags[0];
	assert_string_equal(tag->id, "cloudflare");
	assert_string_equal(tag->title, "Cloudflare");
	assert_int_equal(tag->nlab, 2);
	assert_prefix(&tag->lab[0], "198.18.16.0/24");
	assert_prefix(&tag->lab[1], "2001:db8:16::/48");
	assert_non_null(tag->real);
	assert_prefix(&tag->real->prefixes[0], "104.16.0.0/13");
	assert_null(d->book.tags[1].real);

	kd_address_read(&d->book,
		setting(d, "it = [ \"203.0.113.0/24\", \"@meta\", \"8.8.8.8\", \"@cloudflare\", \"@meta\", "
			   "\"203.0.113.0/24\" ];"),
		&term);
	assert_int_equal(d->diags.count, 0);
	assert_int_equal(term.ntags, 2);
	assert_ptr_equal(term.tags[0], &d->book.tags[1]);
	assert_ptr_equal(term.tags[1], &d->book.tags[0]);
	assert_int_equal(term.nown, 2);
	assert_prefix(&term.own[0], "8.8.8.8/32");
	assert_prefix(&term.own[1], "203.0.113.0/24");

	kd_address_read(&d->book, setting(d, "it = [ \"@mta\", \"10.0.0.1/8\", \"ten\" ];"), &term);
	assert_int_equal(term.ntags + term.nown, 0);
	assert_int_equal(d->diags.errors, 3);
	said(d, 0, KD_DIAG_ERROR, "unknown tag \"mta\" - did you mean \"meta\"?", "known: cloudflare, meta");
	said(d, 1, KD_DIAG_ERROR, "\"10.0.0.1/8\" has bits behind its prefix length", "write \"10.0.0.0/8\"");
	said(d, 2, KD_DIAG_ERROR, "\"ten\" is not an address or prefix", NULL);
}

static void test_tag_mistakes(void **state)
{
	struct desk *d = *state;

	read_tags(d, "tags = { public = { lab = [ \"104.16.0.0/13\", \"100.64.0.0/10\", \"198.18.0.0/14\", "
		     "\"10.1.2.3/8\", \"192.168.0.0/16\" ]; };\n"
		     "none = { title = \"None\"; }; lost = { real = \"lists/lost.txt\"; }; flat = 3; };");
	assert_int_equal(d->diags.errors, 7);
	said(d, 0, KD_DIAG_ERROR, "\"104.16.0.0/13\" is not lab space",
		"allowed are private (10/8, 172.16/12, 192.168/16), documentation, benchmarking (198.18/15), "
		"unique-local and link-local prefixes");
	said(d, 1, KD_DIAG_ERROR, "\"100.64.0.0/10\" is not lab space", NULL);
	said(d, 2, KD_DIAG_ERROR, "\"198.18.0.0/14\" has bits behind its prefix length",
		"write \"198.16.0.0/14\"");
	said(d, 3, KD_DIAG_ERROR, "\"10.1.2.3/8\" has bits behind its prefix length", "write \"10.0.0.0/8\"");
	said(d, 4, KD_DIAG_ERROR, "a tag without prefixes", NULL);
	said(d, 5, KD_DIAG_ERROR, "there is no list \"lists/lost.txt\"", NULL);
	said(d, 6, KD_DIAG_ERROR, "a tag is a group of settings", NULL);
	assert_int_equal(d->book.tags[0].nlab, 1);
	read_tags(d, "tags = { public = { lab = \"10.0.0.0/8\"; }; };");
	said(d, 7, KD_DIAG_ERROR, "double id: tag \"public\"", "first at rules.cfg:1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DESK_TEST(test_name_term),
		DESK_TEST(test_name_term_mistakes),
		DESK_TEST(test_hyphen),
		DESK_TEST(test_name_term_other_letters),
		DESK_TEST(test_tags),
		DESK_TEST(test_tag_mistakes),
	};

	return cmocka_run_group_tests_name("term", tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lists as files in a folder, against the words of list.h. Punycode forms are those of IANA's root zone
 * (xn--p1ai) and of UTS 46 itself.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "desk.h"

static void test_names(void **state)
{
	struct desk *d = *state;
	const struct kd_list *l;
	unsigned int i = 0;

	put(d, "x.txt",
		"\xef\xbb\xbf# a hostlist\n"
		"Example.COM\r\n"
		"\n"
		"  ^a.test\t# exact\n"
		"*.below.test\n"
		"g*.test\n"
		"/^a#b(1|2)$/ # a regex\n"
		"under_score.test#glued\n"
		"example.com\n"
		"last.test");
	l = get(d, "x", KD_LIST_NAMES);
	assert_non_null(l);
	assert_int_equal(d->diags.count, 0);
	assert_string_equal(l->name, "x");
	assert_int_equal(l->count, 8);
	assert_int_equal(l->garbage, 0);
	assert_name(&l->names[i++], "example.com", "example.com", BOTH);
	assert_name(&l->names[i++], "^a.test", "a.test", KD_NAME_SELF);
	assert_name(&l->names[i++], "*.below.test", "below.test", KD_NAME_BELOW);
	assert_name(&l->names[i++], "g*.test", NULL, 0);
	assert_string_equal(l->names[3].expr, "^g.*\\.test\\z");
	assert_name(&l->names[i++], "/^a#b(1|2)$/", NULL, 0);
	assert_string_equal(l->names[4].expr, "^(?:^a#b(1|2)$)\\z");
	assert_name(&l->names[i++], "under_score.test", "under_score.test", BOTH);
	assert_name(&l->names[i++], "example.com", "example.com", BOTH);
	assert_name(&l->names[i++], "last.test", "last.test", BOTH);
	assert_null(l->prefixes);
	assert_null(l->pairs);
}

static void test_garbage(void **state)
{
	struct desk *d = *state;
	const struct kd_list *l;
	char path[128];

	put(d, "x.txt",
		"# head\ngood.test\n\na b.test\n"
		"a-label-of-sixty-four-characters-is-one-more-than-a-label-may-have.test\n"
		"..\nother.test\nx..y\n/(/\n");
	l = get(d, "x", KD_LIST_NAMES);
	assert_non_null(l);
	assert_int_equal(l->count, 2);
	assert_int_equal(l->garbage, 5);
	assert_int_equal(d->diags.count, 1);
	said(d, 0, KD_DIAG_WARNING,
		"5 of 7 lines cannot be used: line 4 \"a b.test\" (a space or control character cannot stand "
		"in "
		"one), line 5 \"a-label-of-sixty-four-characters-is-one-\" (it has a label of more than 63 "
		"characters), line 6 \"..\" (it has an empty label), ...",
		"the rest is used");
	path_in(d, "x.txt", path);
	assert_string_equal(d->diags.list[0].file, path);
	/* Said once, read once. */
	assert_ptr_equal(get(d, "x", KD_LIST_NAMES), l);
	assert_int_equal(d->diags.count, 1);
}

static void test_strange_bytes(void **state)
{
	static const char text[] = "a\0b.test\nc\x01.test\n\xff.test\ngood.test\n\0";
	struct desk *d = *state;
	const struct kd_list *l;

	put_bytes(d, "x.txt", text, sizeof(text) - 1);
	l = get(d, "x", KD_LIST_NAMES);
	assert_non_null(l);
	assert_int_equal(l->count, 1);
	assert_int_equal(l->garbage, 4);
	assert_name(&l->names[0], "good.test", "good.test", BOTH);
}

static void test_other_letters(void **state)
{
	struct desk *d = *state;
	const struct kd_list *l;

	put(d, "x.txt", "пример.рф\n^faß.de\n*.Bücher.example\nexample.com\nпри*.рф\n");
	l = get(d, "x", KD_LIST_NAMES);
	assert_non_null(l);
	assert_int_equal(l->count, 4);
	assert_name(&l->names[0], "xn--e1afmkfd.xn--p1ai", "xn--e1afmkfd.xn--p1ai", BOTH);
	assert_name(&l->names[1], "^xn--fa-hia.de", "xn--fa-hia.de", KD_NAME_SELF);
	assert_name(&l->names[2], "*.xn--bcher-kva.example", "xn--bcher-kva.example", KD_NAME_BELOW);
	assert_true(l->names[0].converted);
	assert_false(l->names[3].converted);
	assert_int_equal(d->diags.count, 2);
	said(d, 0, KD_DIAG_WARNING,
		"1 of 5 lines cannot be used: line 5 \"при*.рф\" (patterns see the ASCII form: write it so "
		"(xn--...))",
		NULL);
	said(d, 1, KD_DIAG_WARNING, "3 names are not in ASCII: taken in punycode", NULL);
}

/* printf 'example.com\n^a.test\n' | sha256sum */
#define DIGEST "aa52c92eb503cbb751e19ef0fcb68e5b5612fbaee3c07f270ada371e02b2f84b"

static void test_packed(void **state)
{
	struct desk *d = *state;
	const struct kd_list *plain, *packed, *both;

	put(d, "a.txt", "example.com\n^a.test\n");
	put_packed(d, "b.txt.gz", "example.com\n^a.test\n");
	put_packed(d, "c.txt", "example.com\n^a.test\n"); /* packed all the same */
	plain = get(d, "a", KD_LIST_NAMES);
	packed = get(d, "b", KD_LIST_NAMES);
	both = get(d, "c", KD_LIST_NAMES);
	assert_true(plain != NULL && packed != NULL && both != NULL);
	assert_string_equal(plain->digest, DIGEST);
	assert_string_equal(packed->digest, DIGEST);
	assert_string_equal(both->digest, DIGEST);
	assert_int_equal(packed->count, 2);
	assert_name(&packed->names[1], "^a.test", "a.test", KD_NAME_SELF);
	assert_int_equal(d->diags.count, 0);
}

static void test_cut_short(void **state)
{
	struct desk *d = *state;
	char path[128], bytes[65536];
	size_t len;
	FILE *file;

	memset(bytes, 0, sizeof(bytes));
	for (unsigned int i = 0; i < 3000; i++)
		sprintf(bytes + strlen(bytes), "a%u.test\n", i * 7919);
	put_packed(d, "x.txt.gz", bytes);
	path_in(d, "x.txt.gz", path);
	file = fopen(path, "rb");
	assert_non_null(file);
	len = fread(bytes, 1, sizeof(bytes), file);
	fclose(file);
	put_bytes(d, "x.txt.gz", bytes, len / 2);
	assert_null(get(d, "x", KD_LIST_NAMES));
	assert_int_equal(d->diags.errors, 1);
	assert_non_null(strstr(d->diags.list[0].message, "list \"x\" cannot be read: "));
	assert_int_equal(d->book.nlists, 0);
}

static void test_two_kinds(void **state)
{
	struct desk *d = *state;
	const struct kd_list *names, *prefixes;

	put(d, "x.txt", "192.0.2.1\n");
	names = get(d, "x", KD_LIST_NAMES);
	prefixes = get(d, "x", KD_LIST_PREFIXES);
	assert_true(names != NULL && prefixes != NULL && names != prefixes);
	assert_name(&names->names[0], "192.0.2.1", "192.0.2.1", BOTH);
	assert_prefix(&prefixes->prefixes[0], "192.0.2.1/32");
	assert_ptr_equal(get(d, "x", KD_LIST_NAMES), names);
	assert_ptr_equal(get(d, "x", KD_LIST_PREFIXES), prefixes);
	assert_string_equal(names->digest, prefixes->digest);
}

static void test_unusable(void **state)
{
	struct desk *d = *state;

	put(d, "empty.txt", "# nothing\n\n");
	put(d, "bad.txt", "one two\n");
	put(d, "zero.txt", "");
	get(d, "empty", KD_LIST_NAMES);
	said(d, 0, KD_DIAG_ERROR, "the list is empty",
		"expected names, one a line; asked for at rules.cfg:1");
	get(d, "bad", KD_LIST_PREFIXES);
	said(d, 1, KD_DIAG_ERROR,
		"no line can be used: line 1 \"one two\" (expected e.g. 192.0.2.0/24, 192.0.2.1 or "
		"2001:db8::/32)",
		"expected prefixes, one a line; asked for at rules.cfg:1");
	get(d, "zero", KD_LIST_PAIRS);
	said(d, 2, KD_DIAG_ERROR, "the list is empty",
		"expected pairs of name and prefix, one a line; asked for at rules.cfg:1");
	get(d, "empty", KD_LIST_NAMES);
	assert_int_equal(d->diags.count, 3);
}

static void test_no_such_list(void **state)
{
	struct desk *d = *state;
	char hint[300];

	put(d, "blocked-2022.txt", "a.test\n");
	put(d, "notes.md", "a.test\n");
	assert_null(get(d, "blocked-222", KD_LIST_NAMES));
	snprintf(hint, sizeof(hint),
		"there is no %s/lists/blocked-222.txt and no blocked-222.txt.gz beside it", d->dir);
	said(d, 0, KD_DIAG_ERROR, "unknown list \"@blocked-222\" - did you mean \"@blocked-2022\"?", hint);
	assert_null(get(d, "notes", KD_LIST_NAMES));
	said(d, 1, KD_DIAG_ERROR, "unknown list \"@notes\"", NULL);
	assert_null(get(d, "../blocked-2022", KD_LIST_NAMES));
	said(d, 2, KD_DIAG_ERROR, "unknown list \"@../blocked-2022\"",
		"small letters, digits, - and _ make a list's name");
	assert_null(get(d, "", KD_LIST_NAMES));
	assert_null(kd_list_prefixes_at(&d->book, setting(d, "it = \"x\";"), "lists/../../etc/hosts"));
	assert_null(kd_list_prefixes_at(&d->book, setting(d, "it = \"x\";"), "/etc/hosts"));
	assert_null(kd_list_prefixes_at(&d->book, setting(d, "it = \"x\";"), "lists/none.txt"));
	assert_int_equal(d->diags.errors, 7);
}

static void test_prefixes(void **state)
{
	static const char *const want[] = {"192.0.2.0/24", "192.0.2.1/32", "198.18.0.0/15", "2001:db8::/32",
		"203.0.113.8/31", "203.0.113.10/32", "10.0.0.0/8", "10.1.0.0/32", "172.16.0.0/30",
		"172.16.0.4/32", "::1/128"};
	struct desk *d = *state;
	const struct kd_list *l;

	put_packed(d, "x.txt.gz",
		"# cidr\n192.0.2.0/24\n192.0.2.1 # one\n198.19.3.4/15\n2001:db8::/32\r\n"
		"203.0.113.8 - 203.0.113.10\n"
		"create nets hash:net family inet hashsize 1024 maxelem 65536\n"
		"add nets 10.0.0.0/8\nadd nets 10.1.0.0 timeout 300 comment \"a b\"\n"
		"add nets 172.16.0.0-172.16.0.4\n"
		"add nets 10.2.0.0/16 nomatch\n"
		"add nets 10.2.0.0/16,tcp:443\n"
		"add nets\n"
		"::1\n");
	l = kd_list_prefixes_at(&d->book, setting(d, "it = \"x\";"), "lists/x.txt");
	assert_non_null(l);
	assert_string_equal(l->name, "lists/x.txt");
	assert_int_equal(l->count, sizeof(want) / sizeof(want[0]));
	for (unsigned int i = 0; i < l->count; i++)
		assert_prefix(&l->prefixes[i], want[i]);
	assert_int_equal(l->garbage, 3);
	said(d, 0, KD_DIAG_WARNING,
		"3 of 13 lines cannot be used: line 11 \"add nets 10.2.0.0/16 nomatch\" (exceptions cannot "
		"be "
		"listed), line 12 \"add nets 10.2.0.0/16,tcp:443\" (expected e.g. 192.0.2.0/24, 192.0.2.1 or "
		"2001:db8::/32), line 13 \"add nets\" (expected e.g. 192.0.2.0/24, 192.0.2.1 or "
		"2001:db8::/32)",
		"the rest is used");
}

static void test_pairs(void **state)
{
	struct desk *d = *state;
	const struct kd_list *l;

	put(d, "x.txt",
		"Example.com 192.0.2.7/24\n^a.test\t\t2001:db8::1 # one\nb.test\n192.0.2.1\n"
		"пример.рф 192.0.2.1\nc d 192.0.2.1\ne.test 192.0.2.300\n");
	l = get(d, "x", KD_LIST_PAIRS);
	assert_non_null(l);
	assert_int_equal(l->count, 3);
	assert_name(&l->pairs[0].name, "example.com", "example.com", BOTH);
	assert_prefix(&l->pairs[0].prefix, "192.0.2.0/24");
	assert_name(&l->pairs[1].name, "^a.test", "a.test", KD_NAME_SELF);
	assert_prefix(&l->pairs[1].prefix, "2001:db8::1/128");
	assert_name(&l->pairs[2].name, "xn--e1afmkfd.xn--p1ai", "xn--e1afmkfd.xn--p1ai", BOTH);
	assert_int_equal(l->garbage, 4);
	said(d, 0, KD_DIAG_WARNING,
		"4 of 7 lines cannot be used: line 3 \"b.test\" (expected NAME PREFIX), line 4 \"192.0.2.1\" "
		"(expected NAME PREFIX), line 6 \"c d 192.0.2.1\" (a space or control character cannot stand "
		"in "
		"one), ...",
		NULL);
}

static void test_many_names(void **state)
{
	struct desk *d = *state;
	const unsigned int n = 50000;
	char *text = malloc(n * 24), *at = text;
	const struct kd_list *l;

	assert_non_null(text);
	for (unsigned int i = 0; i < n; i++)
		at += sprintf(at, "name%u.list.test\n", i);
	put_packed(d, "x.txt.gz", text);
	free(text);
	l = get(d, "x", KD_LIST_NAMES);
	assert_non_null(l);
	assert_int_equal(l->count, n);
	for (unsigned int i = 0; i < n; i++) {
		char want[32];

		sprintf(want, "name%u.list.test", i);
		assert_string_equal(l->names[i].host, want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DESK_TEST(test_names),
		DESK_TEST(test_garbage),
		DESK_TEST(test_strange_bytes),
		DESK_TEST(test_other_letters),
		DESK_TEST(test_packed),
		DESK_TEST(test_cut_short),
		DESK_TEST(test_two_kinds),
		DESK_TEST(test_unusable),
		DESK_TEST(test_no_such_list),
		DESK_TEST(test_prefixes),
		DESK_TEST(test_pairs),
		DESK_TEST(test_many_names),
	};

	return cmocka_run_group_tests_name("list", tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The list of diagnostics: its printed words, byte for byte, and the guesses at what was meant.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rulebook/diag.h"

static void prints(const struct kd_diags *d, const char *expected)
{
	char *text = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&text, &len);

	assert_non_null(to);
	kd_diags_print(d, to);
	fclose(to);
	assert_string_equal(text, expected);
	free(text);
}

static void nothing(void **state)
{
	struct kd_diags d = {0};

	(void)state;
	prints(&d, "");
	kd_diags_free(&d);
}

/* The words that style asks for, with the ASCII dash. */
static void words(void **state)
{
	struct kd_diags d = {0};

	(void)state;
	kd_diag(&d, KD_DIAG_ERROR, "policies/rulebook/x.cfg", 41, "rules.[2].then.rate",
		"expected a number and one of bit/s, kbit/s, Mbit/s, Gbit/s - did you mean \"128 kbit/s\"?",
		"\"%s\" is not a rate", "128 kbits");
	assert_int_equal(d.errors, 1);
	prints(&d, "policies/rulebook/x.cfg:41: rules.[2].then.rate: \"128 kbits\" is not a rate\n"
		   "    expected a number and one of bit/s, kbit/s, Mbit/s, Gbit/s - did you mean \"128 "
		   "kbit/s\"?\n"
		   "1 error, 0 warnings\n");
	kd_diags_free(&d);
	assert_int_equal(d.errors, 0);
	assert_int_equal(d.count, 0);
}

/* No place first, then by file and line; equal places in the order they were said. */
static void order(void **state)
{
	struct kd_diags d = {0};

	(void)state;
	kd_diag(&d, KD_DIAG_WARNING, "b.cfg", 2, NULL, NULL, "five");
	kd_diag(&d, KD_DIAG_ERROR, "a.cfg", 10, "p", NULL, "three");
	kd_diag(&d, KD_DIAG_ERROR, "a.cfg", 10, "p", NULL, "four");
	kd_diag(&d, KD_DIAG_ERROR, "a.cfg", 0, NULL, NULL, "two");
	kd_diag(&d, KD_DIAG_WARNING, NULL, 0, "--set", NULL, "one");
	assert_int_equal(d.errors, 3);
	assert_int_equal(d.warnings, 2);
	prints(&d, "--set: warning: one\na.cfg: two\na.cfg:10: p: three\na.cfg:10: p: four\nb.cfg:2: "
		   "warning: five\n"
		   "3 errors, 2 warnings\n");
	kd_diags_free(&d);
}

static void control_characters(void **state)
{
	struct kd_diags d = {0};

	(void)state;
	kd_diag(&d, KD_DIAG_WARNING, "a\n.cfg", 1, NULL, NULL, "\x1b[31m\"%s\"\x7f", "\xd0\xbf\xd1\x80");
	prints(&d, "a?.cfg:1: warning: ?[31m\"\xd0\xbf\xd1\x80\"?\n0 errors, 1 warning\n");
	kd_diags_free(&d);
}

static void many(void **state)
{
	struct kd_diags d = {0};

	(void)state;
	for (int i = 0; i < 1000; i++)
		kd_diag(&d, KD_DIAG_ERROR, "x.cfg", 1000 - i, NULL, NULL, "%d", i);
	assert_int_equal(d.count, 1000);
	assert_int_equal(d.errors, 1000);
	assert_string_equal(d.list[999].message, "999");
	kd_diags_free(&d);
}

static void means(const char *word, const char *among, const char *expected)
{
	char *near = kd_did_you_mean(word, among);

	if (expected == NULL)
		assert_null(near);
	else
		assert_string_equal(near, expected);
	free(near);
}

static void did_you_mean(void **state)
{
	const char *keys = "protocol|opened_from|from|signature|sni|host";
	char longest[200];

	(void)state;
	means("protcol", keys, "protocol");
	means("protocl", keys, "protocol");
	means("form", keys, "from"); /* a swap is one slip */
	means("SNI", keys, "sni");
	means("snii", keys, "sni");
	means("hots", keys, "host");
	means("drop", keys, NULL);
	means("", keys, NULL);
	means("sni", "", NULL);
	means("kbits", "bit/s|kbit/s|Mbit/s", "kbit/s");
	means("ab", "abc|abd", "abc"); /* equally near: the first */
	memset(longest, 'a', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	means(longest, keys, NULL);
	means("aaa", longest, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing),
		cmocka_unit_test(words),
		cmocka_unit_test(order),
		cmocka_unit_test(control_characters),
		cmocka_unit_test(many),
		cmocka_unit_test(did_you_mean),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

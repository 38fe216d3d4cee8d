/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The tables of what is announced: what is found in them, their words, and that no row is half filled or has
 * come true.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "engine/protocol.h"
#include "rulebook/announced.h"
#include "rulebook/units.h"

static void found(void **state)
{
	char words[200];

	(void)state;
	kd_announced_words(words, sizeof(words), kd_announced_terms);
	assert_string_equal(words, "ja3|ja4|browser|quic_version|certificate_name");
	kd_announced_words(words, sizeof(words), kd_announced_settings);
	assert_string_equal(words, "");
	/* Cut short, never past the end. */
	kd_announced_words(words, 7, kd_announced_terms);
	assert_string_equal(words, "ja3|ja");
	assert_ptr_equal(kd_announced_find(kd_announced_terms, "ja4"), &kd_announced_terms[1]);
	assert_null(kd_announced_find(kd_announced_terms, "sni"));
	assert_string_equal(kd_announced_find(kd_announced_knobs, "tls.certificates")->words, "unread|read");
	assert_null(kd_announced_find(kd_announced_settings, "flow.idle_established"));
	assert_null(kd_announced_find(kd_announced_protocols, ""));
}

static void rows(void **state)
{
	static const struct kd_announced *const tables[] = {
		kd_announced_protocols, kd_announced_terms, kd_announced_knobs, kd_announced_settings};

	(void)state;
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		assert_true(tables[i][0].name != NULL || tables[i] == kd_announced_settings);
		for (const struct kd_announced *r = tables[i]; r->name != NULL; r++) {
			assert_true(r->help != NULL && r->help[0] != '\0');
			assert_true(r->kind <= KD_UNIT_KINDS);
			assert_true(r->words == NULL || r->kind == KD_UNIT_KINDS);
			assert_ptr_equal(kd_announced_find(tables[i], r->name), r);
		}
	}
	for (const struct kd_announced *r = kd_announced_protocols; r->name != NULL; r++)
		assert_true(kd_protocol_find(r->name) < 0);
	for (const struct kd_announced *r = kd_announced_knobs; r->name != NULL; r++)
		assert_non_null(r->words);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(found),
		cmocka_unit_test(rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

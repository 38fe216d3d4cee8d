/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The Hyperscan wrapper: which flags the two uses have, that a bad expression is named, and that payload
 * expressions are anchored however they are written. Hyperscan itself is not tested.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rulebook/patterns.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct kd_patterns *compile(
	unsigned int kind, const char *const *exprs, const uint16_t *ids, unsigned int n)
{
	struct kd_patterns *patterns = NULL;
	unsigned int bad = 0;
	char *why = NULL;
	int r = kd_patterns_new(&patterns, kind, exprs, ids, n, &bad, &why);

	if (r != 0)
		fail_msg("expression %u: %s", bad, why);
	assert_non_null(patterns);
	return patterns;
}

/* The matching ids below 64 as bits. */
static uint64_t match(
	const struct kd_patterns *patterns, struct kd_scratch *scratch, const void *bytes, size_t len)
{
	struct kd_set_bits bits = {0};
	uint8_t *copy = malloc(len);

	if (len > 0)
		memcpy(copy, bytes, len);
	kd_patterns_match(patterns, scratch, copy, len, &bits);
	free(copy);
	return bits.word[0];
}

static void expect_bad(
	unsigned int kind, const char *const *exprs, const uint16_t *ids, unsigned int n, unsigned int want)
{
	struct kd_patterns *patterns = NULL;
	unsigned int bad = 1000;
	char *why = NULL;

	assert_int_equal(kd_patterns_new(&patterns, kind, exprs, ids, n, &bad, &why), -EINVAL);
	assert_null(patterns);
	assert_int_equal(bad, want);
	assert_non_null(why);
	assert_true(strlen(why) > 0);
	free(why);
}

static void test_names(void **state)
{
	static const char *const exprs[] = {"(^|\\.)twit.*\\.example$", "cdn[0-9]+", "^exact\\.test$", "cdn"};
	static const uint16_t ids[] = {1, 2, 3, 2};
	struct kd_patterns *p = compile(KD_PATTERN_NAMES, exprs, ids, 4);
	struct kd_scratch *s = NULL;

	(void)state;
	assert_int_equal(kd_scratch_new(&s, p, NULL), 0);
	assert_non_null(s);
	assert_int_equal(match(p, s, "twitter.example", 15), 1 << 1);
	assert_int_equal(match(p, s, "WWW.TWITTER.EXAMPLE", 19), 1 << 1);
	assert_int_equal(match(p, s, "xtwitter.example", 16), 0);
	assert_int_equal(match(p, s, "xtwitter.example.", 17), 0);
	assert_int_equal(match(p, s, "a.cDn7.twitch.example", 21), 1 << 1 | 1 << 2);
	assert_int_equal(match(p, s, "exact.test", 10), 1 << 3);
	assert_int_equal(match(p, s, "exact.test.", 11), 0);
	assert_int_equal(match(p, s, "twi\n.example", 12), 0);
	assert_int_equal(match(p, s, "twit\n.example", 13), 1 << 1); /* the dot takes anything */
	assert_int_equal(match(p, s, "", 0), 0);
	kd_scratch_free(s);
	kd_patterns_free(p);
}

static void test_payload(void **state)
{
	static const char *const exprs[] = {
		"^\\x16\\x03.\\x00\\x01", "^(GET|POST) ", "^[^|]|^x", "^a(b|[)|]c)"};
	static const uint16_t ids[] = {1, 2, 4, 5};
	struct kd_patterns *p = NULL;
	struct kd_scratch *s = NULL;

	(void)state;
	expect_bad(KD_PATTERN_PAYLOAD, exprs, ids, 4, 2); /* the bar at the top of the third */
	p = compile(KD_PATTERN_PAYLOAD, (const char *const[]){exprs[0], exprs[1], exprs[3]},
		(const uint16_t[]){1, 2, 5}, 3);
	assert_int_equal(kd_scratch_new(&s, NULL, p), 0);
	assert_int_equal(match(p, s, "\x16\x03\n\x00\x01", 5), 1 << 1);
	assert_int_equal(match(p, s, "x\x16\x03\n\x00\x01", 6), 0);
	assert_int_equal(match(p, s, "\x16\x03\n\x00", 4), 0);
	assert_int_equal(match(p, s, "POST /", 6), 1 << 2);
	assert_int_equal(match(p, s, "post /", 6), 0); /* bytes have a case */
	assert_int_equal(match(p, s, "\nPOST /", 7), 0);
	assert_int_equal(match(p, s, "a|c", 3), 1 << 5);
	kd_scratch_free(s);
	kd_patterns_free(p);
}

static void test_one_scratch_for_both(void **state)
{
	static const char *const name[] = {"example"}, *const payload[] = {"^.{3,200}needle[a-z]{2,90}x"};
	static const uint16_t ids[] = {63};
	struct kd_patterns *a = compile(KD_PATTERN_NAMES, name, ids, 1);
	struct kd_patterns *b = compile(KD_PATTERN_PAYLOAD, payload, ids, 1);
	struct kd_scratch *s = NULL;

	(void)state;
	assert_int_equal(kd_scratch_new(&s, a, b), 0);
	assert_int_equal(match(a, s, "example.com", 11), 1ull << 63);
	assert_int_equal(match(b, s, "hayneedleaax", 12), 1ull << 63);
	assert_int_equal(match(b, s, "hneedleaax", 10), 0);
	kd_scratch_free(s);
	s = NULL;
	assert_int_equal(kd_scratch_new(&s, b, a), 0); /* in either order */
	assert_int_equal(match(b, s, "hayneedleaax", 12), 1ull << 63);
	kd_scratch_free(s);
	kd_patterns_free(a);
	kd_patterns_free(b);
}

static void test_no_scratch_for_nothing(void **state)
{
	struct kd_scratch *s = (struct kd_scratch *)&s;

	(void)state;
	assert_int_equal(kd_scratch_new(&s, NULL, NULL), 0);
	assert_null(s);
	kd_scratch_free(s);
	kd_patterns_free(NULL);
}

static void test_bad_expressions(void **state)
{
	static const char *const broken[] = {"fine", "fine too", "un(closed", "[also"};
	static const char *const empty[] = {"a", "b*"};
	static const uint16_t ids[] = {1, 2, 3, 4}, zero[] = {1, 0}, high[] = {KD_NAME_SETS};

	(void)state;
	expect_bad(KD_PATTERN_NAMES, broken, ids, 4, 2);
	expect_bad(KD_PATTERN_NAMES, empty, ids, 2, 1); /* would match every name */
	expect_bad(KD_PATTERN_NAMES, broken, zero, 2, 1);
	expect_bad(KD_PATTERN_NAMES, broken, high, 1, 0);
	expect_bad(KD_PATTERN_NAMES, broken, ids, 0, 0);
}

static void test_anchors(void **state)
{
	static const char *const loose[] = {"abc", "", ".*", "(^a)", "^?a", "^*a", "^{0}a", "^a|b",
		"^a\\\\|b", "^(a)|b", "^[]]|b", "^[^]]|b", "^\\Q(\\E|b", "^(a|b)|c", "|^a"};
	static const char *const tight[] = {"^a", "^(a|b)", "^a\\|b", "^[a|b]", "^[]|]", "^[^]|]",
		"^\\Qa|b\\E", "^\\Qa|b", "^[\\]|]", "^(a|(b|c))d"};
	static const uint16_t ids[] = {1};

	(void)state;
	for (unsigned int i = 0; i < COUNT(loose); i++)
		expect_bad(KD_PATTERN_PAYLOAD, &loose[i], ids, 1, 0);
	for (unsigned int i = 0; i < COUNT(tight); i++)
		kd_patterns_free(compile(KD_PATTERN_PAYLOAD, &tight[i], ids, 1));
}

static void test_high_ids(void **state)
{
	static const char *const exprs[] = {"a", "b"};
	static const uint16_t ids[] = {255, 64};
	struct kd_patterns *p = compile(KD_PATTERN_NAMES, exprs, ids, 2);
	struct kd_set_bits bits = {0};
	struct kd_scratch *s = NULL;

	(void)state;
	assert_int_equal(kd_scratch_new(&s, p, NULL), 0);
	kd_set_bits_add(&bits, 1);
	kd_patterns_match(p, s, (const uint8_t *)"ab", 2, &bits);
	assert_int_equal(bits.word[0], 2);
	assert_int_equal(bits.word[1], 1);
	assert_int_equal(bits.word[2], 0);
	assert_true(bits.word[3] == 1ull << 63);
	kd_scratch_free(s);
	kd_patterns_free(p);
}

/* Bytes of a database do what the database did; other bytes are refused. */
static void test_frozen(void **state)
{
	static const char *const exprs[] = {"ab*c"};
	static const uint16_t ids[] = {7};
	struct kd_patterns *p = compile(KD_PATTERN_NAMES, exprs, ids, 1), *q = NULL;
	struct kd_set_bits bits = {0};
	struct kd_scratch *s = NULL;
	char platform[KD_PATTERNS_PLATFORM], *bytes;
	size_t len;

	(void)state;
	assert_int_equal(kd_patterns_freeze(p, &bytes, &len), 0);
	kd_patterns_free(p);
	assert_int_equal(kd_patterns_thaw(&q, bytes, len), 0);
	assert_int_equal(kd_scratch_new(&s, q, NULL), 0);
	kd_patterns_match(q, s, (const uint8_t *)"xabbbcx", 7, &bits);
	assert_int_equal(bits.word[0], 1 << 7);
	kd_scratch_free(s);
	kd_patterns_free(q);
	q = NULL;
	assert_int_equal(kd_patterns_thaw(&q, bytes, len / 2), -EINVAL);
	bytes[0] ^= 1;
	assert_int_equal(kd_patterns_thaw(&q, bytes, len), -EINVAL);
	assert_null(q);
	free(bytes);
	kd_patterns_platform(platform);
	assert_true(strncmp(platform, "5.4", 3) == 0); /* what Debian 12 has, of either maker */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_payload),
		cmocka_unit_test(test_one_scratch_for_both),
		cmocka_unit_test(test_no_scratch_for_nothing),
		cmocka_unit_test(test_bad_expressions),
		cmocka_unit_test(test_anchors),
		cmocka_unit_test(test_high_ids),
		cmocka_unit_test(test_frozen),
	};

	return cmocka_run_group_tests_name("patterns", tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The trie of prefixes against the words of prefixes.h, and against a comparison of every prefix with every
 * address that is too slow to be wrong. Speed is the bench's affair; memory is counted here because it is
 * exact.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rulebook/prefixes.h"

struct row {
	const char *text;
	unsigned int set;
};

static bool address(const char *text, uint8_t addr[16])
{
	bool v6 = strchr(text, ':') != NULL;

	assert_int_equal(inet_pton(v6 ? AF_INET6 : AF_INET, text, addr), 1);
	return v6;
}

static void add(struct kd_prefixes_builder *b, const char *text, unsigned int set)
{
	const char *slash = strchr(text, '/');
	char host[64];
	uint8_t addr[16], *exact;
	bool v6;

	assert_non_null(slash);
	snprintf(host, sizeof(host), "%.*s", (int)(slash - text), text);
	v6 = address(host, addr);
	exact = malloc(v6 ? 16 : 4);
	assert_non_null(exact);
	memcpy(exact, addr, v6 ? 16 : 4);
	assert_int_equal(kd_prefixes_add(b, exact, v6, (unsigned int)atoi(slash + 1), set), 0);
	free(exact);
}

static struct kd_prefixes *build(const struct row *rows, size_t n)
{
	struct kd_prefixes_builder *b = kd_prefixes_builder_new();
	struct kd_prefixes *p = NULL;

	assert_non_null(b);
	for (size_t i = 0; i < n; i++)
		add(b, rows[i].text, rows[i].set);
	assert_int_equal(kd_prefixes_build(&p, b), 0);
	assert_non_null(p);
	return p;
}

/* An exact-size copy, so that a sanitizer sees a read past an address. */
static struct kd_set_bits match(const struct kd_prefixes *p, const uint8_t *addr, bool v6)
{
	uint8_t *exact = malloc(v6 ? 16 : 4);
	struct kd_set_bits bits;

	assert_non_null(exact);
	memcpy(exact, addr, v6 ? 16 : 4);
	bits = *kd_prefixes_match(p, exact, v6);
	free(exact);
	return bits;
}

/* The sets as a string of ascending numbers: "1,4". */
static const char *sets(const struct kd_prefixes *p, const char *text)
{
	static char out[2048];
	struct kd_set_bits bits;
	uint8_t addr[16];
	size_t at = 0;
	bool v6 = address(text, addr);

	bits = match(p, addr, v6);
	out[0] = '\0';
	for (unsigned int set = 0; set < KD_NAME_SETS; set++)
		if (kd_set_bits_has(&bits, set))
			at += (size_t)snprintf(out + at, sizeof(out) - at, at ? ",%u" : "%u", set);
	return out;
}

static void test_edges_of_prefixes(void **state)
{
	static const struct row rows[] = {{"192.0.2.0/24", 1}, {"198.18.0.0/15", 2}, {"203.0.113.7/32", 3},
		{"10.0.0.0/8", 4}, {"172.16.0.0/12", 5}, {"100.64.0.2/31", 6}, {"128.0.0.0/1", 7}};
	struct kd_prefixes *p = build(rows, sizeof(rows) / sizeof(rows[0]));

	(void)state;
	assert_int_equal(kd_prefixes_count(p), 7);
	assert_string_equal(sets(p, "192.0.1.255"), "7");
	assert_string_equal(sets(p, "192.0.2.0"), "1,7");
	assert_string_equal(sets(p, "192.0.2.255"), "1,7");
	assert_string_equal(sets(p, "192.0.3.0"), "7");
	assert_string_equal(sets(p, "198.17.255.255"), "7");
	assert_string_equal(sets(p, "198.18.0.0"), "2,7");
	assert_string_equal(sets(p, "198.19.255.255"), "2,7");
	assert_string_equal(sets(p, "198.20.0.0"), "7");
	assert_string_equal(sets(p, "203.0.113.6"), "7");
	assert_string_equal(sets(p, "203.0.113.7"), "3,7");
	assert_string_equal(sets(p, "203.0.113.8"), "7");
	assert_string_equal(sets(p, "9.255.255.255"), "");
	assert_string_equal(sets(p, "10.0.0.0"), "4");
	assert_string_equal(sets(p, "10.255.255.255"), "4");
	assert_string_equal(sets(p, "11.0.0.0"), "");
	assert_string_equal(sets(p, "172.15.255.255"), "7");
	assert_string_equal(sets(p, "172.16.0.0"), "5,7");
	assert_string_equal(sets(p, "172.31.255.255"), "5,7");
	assert_string_equal(sets(p, "172.32.0.0"), "7");
	assert_string_equal(sets(p, "100.64.0.1"), "");
	assert_string_equal(sets(p, "100.64.0.2"), "6");
	assert_string_equal(sets(p, "100.64.0.3"), "6");
	assert_string_equal(sets(p, "100.64.0.4"), "");
	assert_string_equal(sets(p, "127.255.255.255"), "");
	assert_string_equal(sets(p, "128.0.0.0"), "7");
	assert_string_equal(sets(p, "255.255.255.255"), "7");
	assert_string_equal(sets(p, "0.0.0.0"), "");
	assert_string_equal(sets(p, "::"), "");
	kd_prefixes_free(p);
}

static void test_nested_add_up(void **state)
{
	static const struct row rows[] = {{"10.0.0.0/8", 255}, {"10.1.0.0/16", 1}, {"10.1.2.0/24", 2},
		{"10.1.2.3/32", 3}, {"10.1.2.0/25", 1}, {"10.1.2.128/25", 2}, {"10.1.2.3/32", 255},
		{"10.1.2.3/32", 64}};
	struct kd_prefixes *p = build(rows, sizeof(rows) / sizeof(rows[0]));

	(void)state;
	assert_int_equal(kd_prefixes_count(p), 6);
	assert_string_equal(sets(p, "10.0.0.1"), "255");
	assert_string_equal(sets(p, "10.1.3.1"), "1,255");
	assert_string_equal(sets(p, "10.1.2.1"), "1,2,255");
	assert_string_equal(sets(p, "10.1.2.200"), "1,2,255");
	assert_string_equal(sets(p, "10.1.2.3"), "1,2,3,64,255");
	assert_string_equal(sets(p, "10.1.2.2"), "1,2,255");
	assert_string_equal(sets(p, "11.1.2.3"), "");
	kd_prefixes_free(p);
}

static void test_doubles(void **state)
{
	static const struct row rows[] = {{"10.0.0.0/8", 1}, {"10.0.0.0/8", 1}, {"10.200.0.0/8", 1},
		{"10.0.0.0/8", 2}, {"10.0.0.0/9", 1}, {"a00::/8", 1}};
	struct kd_prefixes *p = build(rows, sizeof(rows) / sizeof(rows[0]));

	(void)state;
	assert_int_equal(kd_prefixes_count(p), 3); /* bits beyond the length do not count */
	assert_string_equal(sets(p, "10.255.0.0"), "1,2");
	assert_string_equal(sets(p, "a01::"), "1");
	assert_string_equal(sets(p, "b01::"), "");
	kd_prefixes_free(p);
}

static void test_everything(void **state)
{
	static const struct row rows[] = {{"0.0.0.0/0", 1}, {"::/0", 2}, {"192.0.2.1/32", 3}, {"::1/128", 4}};
	struct kd_prefixes *p = build(rows, 4);

	(void)state;
	assert_int_equal(kd_prefixes_count(p), 4);
	assert_string_equal(sets(p, "0.0.0.0"), "1");
	assert_string_equal(sets(p, "255.255.255.255"), "1");
	assert_string_equal(sets(p, "192.0.2.1"), "1,3");
	assert_string_equal(sets(p, "::"), "2");
	assert_string_equal(sets(p, "::1"), "2,4");
	assert_string_equal(sets(p, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), "2");
	kd_prefixes_free(p);
}

static void test_v6(void **state)
{
	static const struct row rows[] = {{"2001:db8::/32", 1}, {"2001:db8:1::/48", 2},
		{"2001:db8:1:2::/64", 3}, {"2001:db8:1:2::ffff/128", 4}, {"fc00::/7", 5},
		{"2001:db8::8000:0:0:0/65", 6}, {"2001:db8:1:2::fffc/126", 7}, {"3fff::/20", 8}};
	struct kd_prefixes *p = build(rows, sizeof(rows) / sizeof(rows[0]));

	(void)state;
	assert_string_equal(sets(p, "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff"), "");
	assert_string_equal(sets(p, "2001:db8::1"), "1");
	assert_string_equal(sets(p, "2001:db8:0:0:7fff:ffff:ffff:ffff"), "1");
	assert_string_equal(sets(p, "2001:db8:0:0:8000::"), "1,6");
	assert_string_equal(sets(p, "2001:db8:0:0:ffff:ffff:ffff:ffff"), "1,6");
	assert_string_equal(sets(p, "2001:db8:1::"), "1,2");
	assert_string_equal(sets(p, "2001:db8:1:2::"), "1,2,3");
	assert_string_equal(sets(p, "2001:db8:1:2::fffb"), "1,2,3");
	assert_string_equal(sets(p, "2001:db8:1:2::fffc"), "1,2,3,7");
	assert_string_equal(sets(p, "2001:db8:1:2::ffff"), "1,2,3,4,7");
	assert_string_equal(sets(p, "2001:db8:1:2::1:0"), "1,2,3");
	assert_string_equal(sets(p, "2001:db8:1:3::ffff"), "1,2");
	assert_string_equal(sets(p, "2001:db9::"), "");
	assert_string_equal(sets(p, "fbff::"), "");
	assert_string_equal(sets(p, "fc00::"), "5");
	assert_string_equal(sets(p, "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), "5");
	assert_string_equal(sets(p, "fe00::"), "");
	assert_string_equal(sets(p, "3fff:fff::"), "8");
	assert_string_equal(sets(p, "3fff:1000::"), "");
	assert_string_equal(sets(p, "32.1.13.184"), ""); /* the first bytes of 2001:db8:: */
	kd_prefixes_free(p);
}

static void test_nothing(void **state)
{
	struct kd_prefixes *p = build(NULL, 0);

	(void)state;
	assert_int_equal(kd_prefixes_count(p), 0);
	assert_string_equal(sets(p, "192.0.2.1"), "");
	assert_string_equal(sets(p, "2001:db8::1"), "");
	kd_prefixes_free(p);
	kd_prefixes_free(NULL);
}

static void test_refused(void **state)
{
	struct kd_prefixes_builder *b = kd_prefixes_builder_new();
	static const uint8_t addr[16] = {0};
	struct kd_prefixes *p = NULL;

	(void)state;
	assert_int_equal(kd_prefixes_add(b, addr, false, 33, 1), -EINVAL);
	assert_int_equal(kd_prefixes_add(b, addr, true, 129, 1), -EINVAL);
	assert_int_equal(kd_prefixes_add(b, addr, false, 32, 0), -EINVAL);
	assert_int_equal(kd_prefixes_add(b, addr, false, 32, KD_NAME_SETS), -EINVAL);
	assert_int_equal(kd_prefixes_add(b, addr, true, 33, KD_NAME_SETS - 1), 0);
	assert_int_equal(kd_prefixes_build(&p, b), 0);
	assert_int_equal(kd_prefixes_count(p), 1);
	kd_prefixes_free(p);
}

/* 2^bits hosts, each in the sets that the bits of its number say: as many combinations. */
static void test_too_many_combinations(void **state)
{
	(void)state;
	for (unsigned int bits = 16; bits <= 17; bits++) {
		struct kd_prefixes_builder *b = kd_prefixes_builder_new();
		struct kd_prefixes *p = NULL;
		int rc;

		for (unsigned int set = 1; set <= bits; set++) {
			/* Set s covers the numbers whose bit s - 1 is set: as runs of 2^(s - 1) hosts. */
			unsigned int width = set - 1;

			for (uint32_t at = 1u << width; at < 1u << bits; at += 2u << width) {
				uint8_t addr[4] = {10, (uint8_t)(at >> 16), (uint8_t)(at >> 8), (uint8_t)at};

				assert_int_equal(kd_prefixes_add(b, addr, false, 32 - width, set), 0);
			}
		}
		rc = kd_prefixes_build(&p, b);
		assert_int_equal(rc, bits == 16 ? 0 : -E2BIG);
		if (rc < 0) {
			assert_null(p);
			continue;
		}
		assert_string_equal(sets(p, "10.0.0.0"), "");
		assert_string_equal(sets(p, "10.0.128.5"), "1,3,16");
		assert_string_equal(sets(p, "10.0.255.255"), "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16");
		kd_prefixes_free(p);
	}
}

struct plain {
	uint8_t addr[16];
	unsigned int bits, set;
	bool v6;
};

static uint32_t next_random(uint32_t *x)
{
	*x = *x * 1664525 + 1013904223;
	return *x >> 8;
}

/* Bytes of few values, so that prefixes nest and addresses meet them. */
static void random_address(uint8_t addr[16], uint32_t *x)
{
	static const uint8_t values[] = {0x00, 0x01, 0x7f, 0x80, 0xfe, 0xff};

	for (unsigned int i = 0; i < 16; i++)
		addr[i] = values[next_random(x) % (i < 2 ? 2 : sizeof(values))];
}

static bool covers(const struct plain *p, const uint8_t *addr, bool v6)
{
	if (p->v6 != v6)
		return false;
	for (unsigned int bit = 0; bit < p->bits; bit++)
		if (((p->addr[bit / 8] ^ addr[bit / 8]) >> (7 - bit % 8) & 1) != 0)
			return false;
	return true;
}

/* One off the edges of a prefix: its first and last address, and the ones before and behind. */
static void near_edge(uint8_t addr[16], const struct plain *p, uint32_t *x)
{
	unsigned int width = p->v6 ? 16 : 4, which = next_random(x) % 4;

	memcpy(addr, p->addr, 16);
	for (unsigned int bit = p->bits; bit < width * 8; bit++) {
		uint8_t mask = (uint8_t)(0x80 >> bit % 8);

		addr[bit / 8] = (uint8_t)(which % 2 != 0 ? addr[bit / 8] | mask : addr[bit / 8] & ~mask);
	}
	for (unsigned int i = width; which >= 2 && i-- > 0;) { /* 2: first - 1, 3: last + 1 */
		addr[i] = (uint8_t)(which == 2 ? addr[i] - 1 : addr[i] + 1);
		if (addr[i] != (which == 2 ? 0xff : 0x00))
			break;
	}
}

static void test_against_every_prefix(void **state)
{
	static struct plain plain[300];
	uint32_t x = 20240625;
	unsigned int hits = 0, many = 0, asked = 0;

	(void)state;
	for (unsigned int round = 0; round < 60; round++) {
		struct kd_prefixes_builder *b = kd_prefixes_builder_new();
		struct kd_prefixes *p = NULL;
		size_t n = 1 + next_random(&x) % 300;

		for (size_t i = 0; i < n; i++) {
			struct plain *q = &plain[i];

			random_address(q->addr, &x);
			q->v6 = next_random(&x) % 2 != 0;
			q->bits = next_random(&x) % (q->v6 ? 129 : 33);
			q->set = 1 + next_random(&x) % 255;
			assert_int_equal(kd_prefixes_add(b, q->addr, q->v6, q->bits, q->set), 0);
		}
		assert_int_equal(kd_prefixes_build(&p, b), 0);
		for (unsigned int i = 0; i < 300; i++, asked++) {
			struct kd_set_bits want = {0}, got;
			const struct plain *q = &plain[next_random(&x) % n];
			uint8_t addr[16];
			bool v6 = q->v6;
			unsigned int covered = 0;

			if (i % 2 == 0)
				near_edge(addr, q, &x);
			else
				random_address(addr, &x);
			for (size_t k = 0; k < n; k++) {
				if (covers(&plain[k], addr, v6)) {
					kd_set_bits_add(&want, plain[k].set);
					covered++;
				}
			}
			got = match(p, addr, v6);
			assert_memory_equal(&got, &want, sizeof(want));
			hits += covered > 0;
			many += covered > 3;
		}
		kd_prefixes_free(p);
	}
	/* Or the test says nothing. */
	assert_true(hits > asked / 2 && hits < asked && many > asked / 20);
}

static void test_memory(void **state)
{
	static const struct row few[] = {{"192.0.2.0/24", 1}, {"198.18.0.0/15", 2}, {"203.0.113.7/32", 3}};
	struct kd_prefixes *p = build(few, 3);
	struct kd_prefixes_builder *b;
	const size_t n = 150000;

	(void)state;
	assert_true(kd_prefixes_bytes(p) < 1024);
	kd_prefixes_free(p);
	/* Every 149th /24 above 1.0.0.0, no two of them neighbours (2^24 / 149 = 112600), wrapped once. */
	b = kd_prefixes_builder_new();
	for (size_t i = 0; i < n; i++) {
		uint32_t at = (uint32_t)(0x10000 + i * 149 % 0xd00000);
		uint8_t addr[4] = {(uint8_t)(at >> 16), (uint8_t)(at >> 8), (uint8_t)at};

		assert_int_equal(kd_prefixes_add(b, addr, false, 24, 1 + i % 3), 0);
	}
	assert_int_equal(kd_prefixes_build(&p, b), 0);
	assert_int_equal(kd_prefixes_count(p), n);
	assert_true(kd_prefixes_bytes(p) <= n * 40);
	assert_string_equal(sets(p, "1.0.0.0"), "1");
	assert_string_equal(sets(p, "1.0.149.255"), "2");
	assert_string_equal(sets(p, "1.0.150.0"), "");
	kd_prefixes_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_edges_of_prefixes),
		cmocka_unit_test(test_nested_add_up),
		cmocka_unit_test(test_doubles),
		cmocka_unit_test(test_everything),
		cmocka_unit_test(test_v6),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_too_many_combinations),
		cmocka_unit_test(test_against_every_prefix),
		cmocka_unit_test(test_memory),
	};

	return cmocka_run_group_tests_name("prefixes", tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The DNS parser against messages written from RFC 1035. Payloads are exact-size heap copies: a read past the
 * end is a crash under AddressSanitizer.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "engine/protocol.h"

extern const struct kd_protocol kd_protocol_dns;

enum { QNAME, QTYPE, RCODE, ANSWER };

/* RFC 1035 4.1: id abcd, RD, one question: www.example.com, A, IN. */
#define QUESTION                                                                                             \
	"\x03www\x07"                                                                                        \
	"example\x03"                                                                                        \
	"com\x00\x00\x01\x00\x01"
#define QUERY "\xab\xcd\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00" QUESTION
/* QR, RD, RA; the name by a pointer to offset 12; 60 s; 192.0.2.1. */
#define ANSWER_HEAD "\xab\xcd\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00" QUESTION
#define RECORD_A "\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\xc0\x00\x02\x01"

static uint8_t *copy;
static struct kd_app app;
static uint8_t transport;

static enum kd_parse parse(const void *bytes, size_t len)
{
	enum kd_parse parse;

	free(copy);
	copy = malloc(len);
	if (len > 0)
		memcpy(copy, bytes, len);
	memset(&app, 0xaa, sizeof(app)); /* nothing of it may survive */
	app.how = (struct kd_how){.transport = transport};
	app.next = 0;
	app.goes_on = app.partial = false;
	parse = kd_protocol_dns.parse(copy, len, &app);
	for (unsigned int i = 0; i < KD_FIELDS_MAX; i++)
		assert_true(app.field[i].p == NULL || parse == KD_MATCH);
	return parse;
}

#define PARSE(text) parse(text, sizeof(text) - 1)

static void expect_text(unsigned int field, const char *text)
{
	assert_non_null(app.field[field].p);
	assert_int_equal(app.field[field].len, strlen(text));
	assert_memory_equal(app.field[field].p, text, strlen(text));
}

static const char *why(void)
{
	return kd_protocol_dns.reasons[app.why].name;
}

static int setup(void **state)
{
	(void)state;
	transport = KD_TRANSPORT_UDP;
	return 0;
}

static void test_query(void **state)
{
	(void)state;
	assert_int_equal(PARSE(QUERY), KD_MATCH);
	expect_text(QNAME, "www.example.com");
	assert_int_equal(app.field[QTYPE].num, 1);
	assert_null(app.field[RCODE].p);
	assert_null(app.field[ANSWER].p);
	assert_string_equal(why(), "dns.query");
	assert_true(app.goes_on);
	assert_int_equal(app.next, 0);
	/* What stands behind the question is not read; case is the wire's. */
	assert_int_equal(PARSE("\xab\xcd\x01\x20\x00\x01\x00\x00\x00\x00\x00\x01\x01"
			       "A\x02"
			       "dE\x00\x00\x1c\x00\x01\x00"),
		KD_MATCH);
	expect_text(QNAME, "A.dE");
	assert_int_equal(app.field[QTYPE].num, 28);
	/* The root. */
	assert_int_equal(
		PARSE("\xab\xcd\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x01"), KD_MATCH);
	expect_text(QNAME, ".");
}

static void test_every_cut(void **state)
{
	(void)state;
	for (size_t len = 0; len < sizeof(QUERY) - 1; len++) {
		assert_int_equal(parse(QUERY, len), KD_NEED_MORE);
		assert_string_equal(why(), "dns.incomplete");
	}
	for (size_t len = 0; len < sizeof(ANSWER_HEAD RECORD_A) - 1; len++)
		assert_int_equal(parse(ANSWER_HEAD RECORD_A, len), KD_NEED_MORE);
}

static void test_answer(void **state)
{
	(void)state;
	assert_int_equal(PARSE(ANSWER_HEAD RECORD_A), KD_MATCH);
	assert_string_equal(why(), "dns.answer");
	expect_text(QNAME, "www.example.com");
	expect_text(ANSWER, "192.0.2.1");
	assert_int_equal(app.field[RCODE].num, 0);
	/* IPv6, the name in full. */
	assert_int_equal(
		PARSE(ANSWER_HEAD "\x03www\x07"
				  "example\x03"
				  "com\x00\x00\x1c\x00\x01\x00\x00\x00\x3c\x00\x10"
				  "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x0a\x10"),
		KD_MATCH);
	expect_text(ANSWER, "2001:db8:0:0:0:0:0:a10");
	/* No such name: no record. */
	assert_int_equal(PARSE("\xab\xcd\x81\x83\x00\x01\x00\x00\x00\x00\x00\x00" QUESTION), KD_MATCH);
	assert_int_equal(app.field[RCODE].num, 3);
	assert_null(app.field[ANSWER].p);
	/* An alias is no address. */
	assert_int_equal(
		PARSE(ANSWER_HEAD "\xc0\x0c\x00\x05\x00\x01\x00\x00\x00\x3c\x00\x02\xc0\x10"), KD_MATCH);
	assert_null(app.field[ANSWER].p);
	/* An address of another length. */
	assert_int_equal(
		PARSE(ANSWER_HEAD "\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x02\xc0\x10"), KD_NOT_MINE);
}

static void test_pointers(void **state)
{
	(void)state;
	/* To itself (its own place is 33), forward, into the header; and one in the question. */
	assert_int_equal(
		PARSE(ANSWER_HEAD "\xc0\x21\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\xc0\x00\x02\x01"),
		KD_NOT_MINE);
	assert_int_equal(
		PARSE(ANSWER_HEAD "\xc0\xff\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\xc0\x00\x02\x01"),
		KD_NOT_MINE);
	assert_int_equal(
		PARSE(ANSWER_HEAD "\xc0\x0b\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\xc0\x00\x02\x01"),
		KD_NOT_MINE);
	assert_int_equal(PARSE("\xab\xcd\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\xc0\x0c\x00\x01\x00\x01"),
		KD_NOT_MINE);
}

static void test_not_dns(void **state)
{
	static const struct {
		unsigned int at;
		uint8_t byte;
	} wrong[] = {{2, 0x29}, {2, 0x05}, {2, 0x03}, {3, 0x40}, {3, 0x80}, {3, 0x03}, {5, 0}, {5, 2}, {7, 1},
		{9, 1}, {11, 3}, {12, 0x40}, {12, 0x80}, {30, 0}, {32, 2}};
	uint8_t bytes[sizeof(QUERY) - 1];

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		memcpy(bytes, QUERY, sizeof(bytes));
		bytes[wrong[i].at] = wrong[i].byte;
		assert_int_equal(parse(bytes, sizeof(bytes)), KD_NOT_MINE);
		assert_string_equal(why(), "dns.not_dns");
	}
	assert_int_equal(PARSE("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"), KD_NOT_MINE);
}

/* RFC 1035 2.3.4: 255 bytes on the wire, the root's among them. */
static void test_longest_name(void **state)
{
	uint8_t bytes[12 + 300] = {0, 1, 1, 0, 0, 1};
	size_t at = 12;

	(void)state;
	for (unsigned int i = 0; i < 4; i++) {
		unsigned int n = i < 3 ? 63 : 61;

		bytes[at++] = (uint8_t)n;
		memset(bytes + at, 'a', n);
		at += n;
	}
	bytes[at + 2] = bytes[at + 4] = 1;
	assert_int_equal(at + 1 - 12, 255);
	assert_int_equal(parse(bytes, at + 5), KD_MATCH);
	assert_int_equal(app.field[QNAME].len, 253);
	bytes[12 + 3 * 64] = 62;
	bytes[at++] = 'a';
	bytes[at] = bytes[at + 1] = bytes[at + 3] = 0;
	bytes[at + 2] = bytes[at + 4] = 1;
	assert_int_equal(parse(bytes, at + 5), KD_NOT_MINE);
}

/* "www.example" as one label is no name of example. */
static void test_dot_in_a_label(void **state)
{
	(void)state;
	assert_int_equal(PARSE("\xab\xcd\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03"
			       "a.b\x00\x00\x01\x00\x01"),
		KD_MATCH);
	expect_text(QNAME, "a\x01"
			   "b");
}

static void test_tcp(void **state)
{
	(void)state;
	transport = KD_TRANSPORT_TCP;
	/* 33 bytes of message; the next one begins behind it, here or not. */
	assert_int_equal(PARSE("\x00\x21" QUERY "\x00"), KD_MATCH);
	expect_text(QNAME, "www.example.com");
	assert_int_equal(app.next, 35);
	for (size_t len = 0; len < 35; len++)
		assert_int_equal(parse("\x00\x21" QUERY, len), KD_NEED_MORE);
	/* The message ends inside its question; a length that no message has. */
	assert_int_equal(PARSE("\x00\x20" QUERY), KD_NOT_MINE);
	assert_string_equal(why(), "dns.malformed");
	assert_int_equal(PARSE("\x00\x10"), KD_NOT_MINE);
	assert_int_equal(PARSE("\x04"), KD_NOT_MINE);
	assert_int_equal(PARSE("\x03"), KD_NEED_MORE);
	/* Without its length. */
	assert_int_equal(PARSE(QUERY), KD_NOT_MINE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_query, setup),
		cmocka_unit_test_setup(test_every_cut, setup),
		cmocka_unit_test_setup(test_answer, setup),
		cmocka_unit_test_setup(test_pointers, setup),
		cmocka_unit_test_setup(test_not_dns, setup),
		cmocka_unit_test_setup(test_longest_name, setup),
		cmocka_unit_test_setup(test_dot_in_a_label, setup),
		cmocka_unit_test_setup(test_tcp, setup),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	free(copy);
	return failed;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The ClientHello parser against bytes written out by hand from RFC 8446 4.1.2, RFC 6066 3, RFC 7301 3.1 and
 * the checks that X-THR-2021 reports. Payloads are exact-size heap copies: a read past the end is a crash
 * under AddressSanitizer. Which names are blocked, and what a need-more leads to, is not tested here.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "engine/cursor.h"
#include "engine/knob.h"
#include "engine/protocol.h"

extern const struct kd_protocol kd_protocol_tls;

enum { SNI, VERSION, ALPN, EXTENSIONS, LEGACY_VERSION };

/*
 * Record of 100 bytes, ClientHello of 96: 2 version, 32 random, 1 session id, 4 suites, 2 compression, 2 + 53
 * extensions: server_name 4 + 16, GREASE 4 + 0, ALPN 4 + 14, supported_versions 4 + 7.
 */
static const uint8_t hello[] = {
	0x16, 0x03, 0x01, 0x00, 0x64,	  /* 0: record */
	0x01, 0x00, 0x00, 0x60,		  /* 5: handshake */
	0x03, 0x03,			  /* 9: legacy_version */
	0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, /* 11: random */
	11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31,
	0x00,								  /* 43: session id */
	0x00, 0x02, 0x13, 0x01,						  /* 44: cipher suites */
	0x01, 0x00,							  /* 48: compression */
	0x00, 0x35,							  /* 50: extensions */
	0x00, 0x00, 0x00, 0x10, 0x00, 0x0e, 0x00, 0x00, 0x0b,		  /* 52: server_name */
	'e', 'x', 'a', 'm', 'p', 'l', 'e', '.', 'c', 'o', 'm',		  /* 61 */
	0x0a, 0x0a, 0x00, 0x00,						  /* 72: GREASE */
	0x00, 0x10, 0x00, 0x0e, 0x00, 0x0c, 0x02, 'h', '2',		  /* 76: ALPN */
	0x08, 'h', 't', 't', 'p', '/', '1', '.', '1',			  /* 85 */
	0x00, 0x2b, 0x00, 0x07, 0x06, 0x7a, 0x7a, 0x03, 0x04, 0x03, 0x03, /* 94: supported_versions */
};

static uint8_t *copy;
static struct kd_app app;
static struct kd_how with;

static enum kd_parse parse(const void *bytes, size_t len)
{
	enum kd_parse parse;

	free(copy);
	copy = malloc(len);
	if (len > 0)
		memcpy(copy, bytes, len);
	memset(&app, 0xaa, sizeof(app)); /* nothing of it may survive */
	app.how = with;
	app.partial = app.goes_on = false;
	parse = kd_protocol_tls.parse(copy, len, &app);
	for (unsigned int i = 0; i < KD_FIELDS_MAX; i++) {
		const struct kd_app_field *f = &app.field[i];

		if (f->p == NULL)
			continue;
		assert_int_equal(parse, KD_MATCH);
		if (f->p >= app.scratch && f->p <= app.scratch + KD_APP_SCRATCH)
			assert_true(f->p + f->len <= app.scratch + app.scratch_len);
		else
			assert_true(f->p >= copy && f->p + f->len <= copy + len);
	}
	return parse;
}

static void expect(enum kd_parse got, enum kd_parse want, const char *why)
{
	assert_string_equal(kd_protocol_tls.reasons[app.why].name, why);
	assert_int_equal(got, want);
}

static void expect_text(unsigned int field, const void *text, size_t len)
{
	assert_non_null(app.field[field].p);
	assert_int_equal(app.field[field].len, len);
	assert_memory_equal(app.field[field].p, text, len);
}

/* A hello around the given extension bytes; the three outer lengths are 43, 47 and the extensions' own. */
static size_t build(uint8_t *to, const uint8_t *extensions, size_t len)
{
	memcpy(to, hello, 50);
	kd_put16(to + 3, (uint16_t)(4 + 43 + len));
	to[6] = 0;
	kd_put16(to + 7, (uint16_t)(43 + len));
	kd_put16(to + 50, (uint16_t)len);
	if (len > 0)
		memcpy(to + 52, extensions, len);
	return 52 + len;
}

#define PARSE_WITH(...) parse_with((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static enum kd_parse parse_with(const uint8_t *extensions, size_t len)
{
	uint8_t buf[1024];

	assert_true(len + 52 <= sizeof(buf));
	return parse(buf, build(buf, extensions, len));
}

static void test_manifest(void **state)
{
	(void)state;
	assert_string_equal(kd_protocol_tls.name, "tls");
	assert_int_equal(kd_protocol_tls.transports, KD_TRANSPORT_TCP);
	assert_int_equal(kd_protocol_tls.has_name, 1);
	assert_int_equal(kd_protocol_tls.budget_bytes, 16384 + 5);
	assert_string_equal(kd_protocol_tls.fields[0].name, "sni");
	assert_string_equal(kd_protocol_tls.reasons[0].name, "tls.client_hello");
}

static void test_hello(void **state)
{
	(void)state;
	assert_int_equal(sizeof(hello), 105);
	expect(parse(hello, sizeof(hello)), KD_MATCH, "tls.client_hello");
	expect_text(SNI, "example.com", 11);
	assert_ptr_equal(app.field[SNI].p, copy + 61);
	assert_int_equal(app.field[VERSION].num, 0x0304);
	assert_int_equal(app.field[LEGACY_VERSION].num, 0x0303);
	expect_text(ALPN, "\x02h2\x08http/1.1", 12);
	expect_text(EXTENSIONS, "\x00\x00\x0a\x0a\x00\x10\x00\x2b", 8);
	assert_null(app.field[5].p);
}

static void test_record_minor_is_a_legacy(void **state)
{
	uint8_t bytes[sizeof(hello)];

	(void)state;
	memcpy(bytes, hello, sizeof(hello));
	for (unsigned int minor = 0; minor <= 0xff; minor++) {
		bytes[2] = (uint8_t)minor;
		assert_int_equal(parse(bytes, sizeof(bytes)), KD_MATCH);
	}
}

static void test_every_cut_needs_more(void **state)
{
	(void)state;
	for (size_t len = 0; len < sizeof(hello); len++)
		expect(parse(hello, len), KD_NEED_MORE, "tls.record_incomplete");
}

/* With tls.padded_hello = parsed: whole extensions count from where the server name is one of them. */
static void test_every_cut_as_far_as_it_came(void **state)
{
	(void)state;
	with.padded = KD_PADDED_HELLO_PARSED;
	for (size_t len = 0; len < sizeof(hello); len++) {
		if (len < 72) { /* the name ends there */
			expect(parse(hello, len), KD_NEED_MORE, "tls.record_incomplete");
			continue;
		}
		expect(parse(hello, len), KD_MATCH, "tls.client_hello_cut");
		assert_true(app.partial && app.goes_on);
		expect_text(SNI, "example.com", 11);
		assert_int_equal(app.field[VERSION].num, 0x0303); /* the versions come last */
	}
	expect(parse(hello, sizeof(hello)), KD_MATCH, "tls.client_hello");
	assert_false(app.partial || app.goes_on);
	with.padded = KD_PADDED_HELLO_UNPARSED;
}

static void test_bytes_behind_the_record(void **state)
{
	uint8_t bytes[sizeof(hello) + 6];

	(void)state;
	memcpy(bytes, hello, sizeof(hello));
	memcpy(bytes + sizeof(hello), "\x14\x03\x03\x00\x01\x01", 6);
	for (size_t n = 1; n <= 6; n++) {
		expect(parse(bytes, sizeof(hello) + n), KD_MATCH, "tls.client_hello");
		expect_text(SNI, "example.com", 11);
	}
}

/*
 * Any other value of a length on the way to the name, and there is no name. Three lies make another whole
 * hello, one without extensions: it ends behind its compression methods (41 bytes), or a list swallows what
 * follows it to the last byte (46 + 52 + the 7 bytes of a compression list at 98; 49 + 56).
 */
static void test_every_length_lie(void **state)
{
	static const uint8_t lengths[] = {3, 4, 6, 7, 8, 43, 44, 45, 48, 50, 51, 54, 55, 56, 57, 59, 60};
	uint8_t bytes[sizeof(hello)];

	(void)state;
	memcpy(bytes, hello, sizeof(hello));
	for (size_t i = 0; i < sizeof(lengths); i++) {
		uint8_t at = lengths[i];

		for (unsigned int lie = 0; lie <= 0xff; lie++) {
			bool whole =
				(at == 8 && lie == 41) || (at == 45 && lie == 52) || (at == 48 && lie == 56);

			if (lie == hello[at])
				continue;
			bytes[at] = (uint8_t)lie;
			assert_int_equal(parse(bytes, sizeof(bytes)) == KD_MATCH, whole);
			assert_null(app.field[SNI].p);
		}
		bytes[at] = hello[at];
	}
}

/* Whatever one byte is changed to: the name found is the bytes where the name stands, or none. */
static void test_every_byte_changed(void **state)
{
	uint8_t bytes[sizeof(hello)];

	(void)state;
	memcpy(bytes, hello, sizeof(hello));
	for (size_t at = 0; at < sizeof(hello); at++) {
		for (unsigned int value = 0; value <= 0xff; value++) {
			bytes[at] = (uint8_t)value;
			if (parse(bytes, sizeof(bytes)) != KD_MATCH || app.field[SNI].p == NULL)
				continue;
			assert_ptr_equal(app.field[SNI].p, copy + 61);
			assert_int_equal(app.field[SNI].len, 11);
		}
		bytes[at] = hello[at];
	}
}

static void test_record_length(void **state)
{
	uint8_t bytes[sizeof(hello) + 4];

	(void)state;
	memcpy(bytes, hello, sizeof(hello));
	kd_put16(bytes + 3, 0);
	expect(parse(bytes, sizeof(hello)), KD_NOT_MINE, "tls.malformed");
	kd_put16(bytes + 3, 3);
	expect(parse(bytes, sizeof(hello)), KD_NEED_MORE, "tls.hello_in_more_records");
	kd_put16(bytes + 3, 0x63); /* one less than 4 + the hello */
	expect(parse(bytes, sizeof(hello)), KD_NEED_MORE, "tls.hello_in_more_records");
	expect(parse(bytes, 9), KD_NEED_MORE, "tls.hello_in_more_records");
	kd_put16(bytes + 3, 0x65);
	expect(parse(bytes, sizeof(hello)), KD_NEED_MORE, "tls.record_incomplete");
	kd_put16(bytes + 3, 16384);
	expect(parse(bytes, sizeof(hello)), KD_NEED_MORE, "tls.record_incomplete");
	kd_put16(bytes + 3, 16385);
	expect(parse(bytes, sizeof(hello)), KD_NOT_MINE, "tls.malformed");

	kd_put16(bytes + 3, 0x68); /* another message in the record, X-THR-2021 lets the record be longer */
	memcpy(bytes + sizeof(hello), "\x0b\0\0\0", 4);
	expect(parse(bytes, sizeof(bytes)), KD_MATCH, "tls.client_hello");
	bytes[sizeof(hello)] = 1; /* a second hello */
	expect(parse(bytes, sizeof(bytes)), KD_NOT_MINE, "tls.malformed");
}

static void test_other_records(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} cases[] = {
		{"\x14\x03\x03\x00\x01\x01", 6},		  /* ChangeCipherSpec */
		{"\x15\x03\x01\x00\x02\x02\x28", 7},		  /* alert */
		{"\x17\x03\x03\x00\x10 0123456789abcdef", 21},	  /* application data */
		{"\x16\x03\x03\x00\x32\x02\x00\x00\x2e\x03", 10}, /* ServerHello */
		{"\x16\x03\x03\x00\x28\x9a\x11", 7},		  /* an encrypted handshake message */
	};
	uint8_t bytes[6 + sizeof(hello)];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		expect(parse(cases[i].bytes, cases[i].len), KD_NEED_MORE, "tls.other_record");
		for (size_t len = 0; len < 5; len++)
			expect(parse(cases[i].bytes, len), KD_NEED_MORE, "tls.record_incomplete");
	}
	memcpy(bytes, cases[0].bytes, 6); /* a ChangeCipherSpec before the hello hides it, X-THR-2021 */
	memcpy(bytes + 6, hello, sizeof(hello));
	expect(parse(bytes, sizeof(bytes)), KD_NEED_MORE, "tls.other_record");
}

static void test_not_tls(void **state)
{
	uint8_t bytes[sizeof(hello)];

	(void)state;
	memcpy(bytes, hello, sizeof(hello));
	for (unsigned int type = 0; type <= 0xff; type++) {
		bytes[0] = (uint8_t)type;
		if (type < 0x14 || type > 0x17)
			expect(parse(bytes, sizeof(bytes)), KD_NOT_MINE, "tls.not_tls");
	}
	bytes[0] = 0x16;
	for (unsigned int major = 0; major <= 0xff; major++) {
		bytes[1] = (uint8_t)major;
		if (major != 3)
			expect(parse(bytes, sizeof(bytes)), KD_NOT_MINE, "tls.not_tls");
	}
	expect(parse("\x16\xfe\xff", 3), KD_NOT_MINE, "tls.not_tls");		      /* DTLS */
	expect(parse("\x80\x2e\x01\x00\x02\x00\x15", 7), KD_NOT_MINE, "tls.not_tls"); /* SSLv2 hello */
	expect(parse("GET / HTTP/1.1\r\n", 16), KD_NOT_MINE, "tls.not_tls");
}

static void test_no_extensions(void **state)
{
	uint8_t bytes[50];

	(void)state;
	memcpy(bytes, hello,
		50); /* 41 bytes of hello: TLS 1.0 style, it ends behind the compression methods */
	kd_put16(bytes + 3, 45);
	kd_put16(bytes + 7, 41);
	kd_put16(bytes + 9, 0x0301);
	expect(parse(bytes, sizeof(bytes)), KD_MATCH, "tls.no_name");
	assert_null(app.field[SNI].p);
	assert_null(app.field[EXTENSIONS].p);
	assert_int_equal(app.field[VERSION].num, 0x0301);
	expect(parse_with(NULL, 0), KD_MATCH, "tls.no_name");
	assert_non_null(app.field[EXTENSIONS].p);
	assert_int_equal(app.field[EXTENSIONS].len, 0);
}

static void test_inner_lengths(void **state)
{
	uint8_t bytes[sizeof(hello) + 33];

	(void)state;
	memcpy(bytes, hello, 43); /* a session id of 33: RFC 8446 4.1.2 allows 32 */
	for (uint8_t id = 32; id <= 33; id++) {
		bytes[43] = id;
		memset(bytes + 44, 0x5a, id);
		memcpy(bytes + 44 + id, hello + 44, sizeof(hello) - 44);
		kd_put16(bytes + 3, (uint16_t)(0x64 + id));
		kd_put16(bytes + 7, (uint16_t)(0x60 + id));
		if (id == 32)
			expect(parse(bytes, sizeof(hello) + id), KD_MATCH, "tls.client_hello");
		else
			expect(parse(bytes, sizeof(hello) + id), KD_NOT_MINE, "tls.malformed");
	}
	memcpy(bytes, hello,
		44); /* no cipher suites, then no compression method: the same 50 bytes shifted */
	memcpy(bytes + 44, "\0\0\x01\0", 4);
	kd_put16(bytes + 3, 43);
	kd_put16(bytes + 7, 39);
	expect(parse(bytes, 48), KD_NOT_MINE, "tls.malformed");
	memcpy(bytes + 44, "\0\x02\x13\x01\0", 5);
	kd_put16(bytes + 3, 44);
	kd_put16(bytes + 7, 40);
	expect(parse(bytes, 49), KD_NOT_MINE, "tls.malformed");
	memcpy(bytes + 44, "\0\x03\x13\x01\0\x01\0", 7); /* half a suite */
	kd_put16(bytes + 3, 46);
	kd_put16(bytes + 7, 42);
	expect(parse(bytes, 51), KD_NOT_MINE, "tls.malformed");
}

static void test_server_name(void **state)
{
	(void)state;
	expect(PARSE_WITH(0, 0, 0, 6, 0, 4, 0, 0, 1, 'a'), KD_MATCH, "tls.client_hello");
	expect_text(SNI, "a", 1);
	expect(PARSE_WITH(0, 0, 0, 8, 0, 6, 0, 0, 3, 'a', 0, 'b'), KD_MATCH, "tls.client_hello");
	expect_text(SNI, "a\0b", 3); /* a NUL is a byte like any other */
	expect(PARSE_WITH(0, 0, 0, 8, 0, 6, 0, 0, 3, 'a', '.', '.'), KD_MATCH, "tls.client_hello");
	expect_text(SNI, "a..", 3);
	expect(PARSE_WITH(0, 0, 0, 5, 0, 3, 0, 0, 0), KD_MATCH, "tls.no_name"); /* an empty name */
	assert_null(app.field[SNI].p);
	expect(PARSE_WITH(0, 0, 0, 6, 0, 4, 1, 0, 1, 'a'), KD_NOT_MINE, "tls.malformed"); /* no host_name */
	expect(PARSE_WITH(0, 0, 0, 10, 0, 8, 0, 0, 1, 'a', 0, 0, 1, 'b'), KD_NOT_MINE, "tls.malformed");
	expect(PARSE_WITH(0, 0, 0, 0), KD_NOT_MINE, "tls.malformed"); /* the server's empty form */
	expect(PARSE_WITH(0, 0, 0, 2, 0, 0), KD_NOT_MINE, "tls.malformed");
	expect(PARSE_WITH(0, 0, 0, 6, 0, 4, 0, 0, 1, 'a', 0, 0, 0, 6, 0, 4, 0, 0, 1, 'b'), KD_NOT_MINE,
		"tls.malformed"); /* twice */
}

static void test_supported_versions(void **state)
{
	(void)state;
	PARSE_WITH(0, 43, 0, 5, 4, 3, 3, 3, 4);
	assert_int_equal(app.field[VERSION].num, 0x0304);
	PARSE_WITH(0, 43, 0, 5, 4, 3, 2, 3, 1);
	assert_int_equal(app.field[VERSION].num, 0x0302);
	assert_int_equal(app.field[LEGACY_VERSION].num, 0x0303);
	PARSE_WITH(0, 43, 0, 5, 4, 0xfa, 0xfa, 0x7f, 0x1c); /* GREASE and a draft */
	assert_int_equal(app.field[VERSION].num, 0x0303);
	/* a list that does not hold leaves the legacy version, and the hello a hello */
	expect(PARSE_WITH(0, 43, 0, 4, 3, 3, 4, 3), KD_MATCH, "tls.no_name");
	assert_int_equal(app.field[VERSION].num, 0x0303);
	expect(PARSE_WITH(0, 43, 0, 4, 2, 3, 4, 3), KD_MATCH, "tls.no_name");
	assert_int_equal(app.field[VERSION].num, 0x0303);
	expect(PARSE_WITH(0, 43, 0, 3, 9, 3, 4), KD_MATCH, "tls.no_name");
	assert_int_equal(app.field[VERSION].num, 0x0303);
}

static void test_alpn(void **state)
{
	(void)state;
	expect(PARSE_WITH(0, 16, 0, 5, 0, 3, 2, 'h', '3'), KD_MATCH, "tls.no_name");
	expect_text(ALPN, "\x02h3", 3);
	expect(PARSE_WITH(0, 16, 0, 5, 0, 3, 3, 'h', '3'), KD_MATCH, "tls.no_name"); /* inner lie: absent */
	assert_null(app.field[ALPN].p);
	expect(PARSE_WITH(0, 16, 0, 5, 0, 2, 2, 'h', '3'), KD_MATCH, "tls.no_name");
	assert_null(app.field[ALPN].p);
	expect(PARSE_WITH(0, 16, 0, 2, 0, 0), KD_MATCH, "tls.no_name");
	assert_null(app.field[ALPN].p);
	expect(PARSE_WITH(0, 16, 0, 6, 0, 3, 2, 'h', '3'), KD_NOT_MINE, "tls.malformed"); /* outer lie */
}

static void test_extensions_past_the_list(void **state)
{
	uint8_t list[70 * 4 + 10];

	(void)state;
	for (unsigned int i = 0; i < 70; i++) {
		kd_put16(list + 4 * i, (uint16_t)(0x1000 + i));
		kd_put16(list + 4 * i + 2, 0);
	}
	memcpy(list + 280, "\0\0\0\x06\0\x04\0\0\x01z", 10);
	expect(parse_with(list, sizeof(list)), KD_MATCH, "tls.client_hello");
	expect_text(SNI, "z", 1); /* the name behind them is found all the same */
	assert_int_equal(app.field[EXTENSIONS].len, 128);
	for (unsigned int i = 0; i < 64; i++)
		assert_int_equal(kd_get16(app.field[EXTENSIONS].p + 2 * i), 0x1000 + i);
}

/* The biggest record, filled up by a padding extension (RFC 7685) before the name. */
static void test_biggest_record(void **state)
{
	uint8_t *bytes = calloc(1, 16384 + 5), *list = calloc(1, 16384);
	size_t padding = 16384 - 4 - 43 - 10 - 4, len;

	(void)state;
	kd_put16(list, 21);
	kd_put16(list + 2, (uint16_t)padding);
	memcpy(list + 4 + padding, "\0\0\0\x06\0\x04\0\0\x01z", 10);
	len = build(bytes, list, 4 + padding + 10);
	assert_int_equal(len, 16384 + 5);
	expect(parse(bytes, len), KD_MATCH, "tls.client_hello");
	expect_text(SNI, "z", 1);
	expect(parse(bytes, len - 1), KD_NEED_MORE, "tls.record_incomplete");
	expect(parse(bytes, 1460), KD_NEED_MORE, "tls.record_incomplete");
	free(list);
	free(bytes);
}

static int drop_copy(void **state)
{
	(void)state;
	free(copy);
	copy = NULL;
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_manifest),
		cmocka_unit_test(test_hello),
		cmocka_unit_test(test_record_minor_is_a_legacy),
		cmocka_unit_test(test_every_cut_needs_more),
		cmocka_unit_test(test_every_cut_as_far_as_it_came),
		cmocka_unit_test(test_bytes_behind_the_record),
		cmocka_unit_test(test_every_length_lie),
		cmocka_unit_test(test_every_byte_changed),
		cmocka_unit_test(test_record_length),
		cmocka_unit_test(test_other_records),
		cmocka_unit_test(test_not_tls),
		cmocka_unit_test(test_no_extensions),
		cmocka_unit_test(test_inner_lengths),
		cmocka_unit_test(test_server_name),
		cmocka_unit_test(test_supported_versions),
		cmocka_unit_test(test_alpn),
		cmocka_unit_test(test_extensions_past_the_list),
		cmocka_unit_test(test_biggest_record),
	};

	return cmocka_run_group_tests_name("tls", tests, NULL, drop_copy);
}

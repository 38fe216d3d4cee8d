/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The HTTP/1 request parser against heads written from RFC 9110 and 9112. Payloads are exact-size heap
 * copies: a read past the end is a crash under AddressSanitizer. Where no source says what a real box does
 * the test holds the choice that protocols/http.c states.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "engine/knob.h"
#include "engine/protocol.h"

extern const struct kd_protocol kd_protocol_http;

enum { HOST, METHOD, URL, VERSION };

static uint8_t *copy;
static struct kd_app app;
static uint8_t requests; /* enum kd_requests */

static enum kd_parse parse(const void *bytes, size_t len)
{
	enum kd_parse parse;

	free(copy);
	copy = malloc(len);
	if (len > 0)
		memcpy(copy, bytes, len);
	memset(&app, 0xaa, sizeof(app)); /* nothing of it may survive */
	app.how = (struct kd_how){.requests = requests};
	app.next = 0;
	app.goes_on = app.partial = false;
	parse = kd_protocol_http.parse(copy, len, &app);
	for (unsigned int i = 0; i < KD_FIELDS_MAX; i++) {
		const struct kd_app_field *f = &app.field[i];

		if (f->p == NULL)
			continue;
		assert_int_equal(parse, KD_MATCH);
		assert_true(f->p >= copy && f->p + f->len <= copy + len);
	}
	return parse;
}

static void expect_text(unsigned int field, const char *text)
{
	if (text == NULL) {
		assert_null(app.field[field].p);
		return;
	}
	assert_non_null(app.field[field].p);
	assert_int_equal(app.field[field].len, strlen(text));
	assert_memory_equal(app.field[field].p, text, strlen(text));
}

struct request {
	const char *text; /* with its last byte everything is known */
	const char *rest; /* changes nothing */
	const char *host, *method, *url;
	unsigned int version;
};

static const struct request good[] = {
	{"GET / HTTP/1.1\r\nHost: example.com\r\n", "Accept: */*\r\n\r\n", "example.com", "GET", "/", 0x0101},
	{"GET / HTTP/1.1\nHost: example.com\n", "\n", "example.com", "GET", "/", 0x0101},
	{"POST /a?b=c HTTP/1.0\r\nA: b\r\nhOsT:\t example.com:8080 \t\r\n", "", "example.com", "POST",
		"/a?b=c", 0x0100},
	{"GET / HTTP/1.1\r\nHost:example.com\r\n", "", "example.com", "GET", "/", 0x0101},
	{"GET / HTTP/1.1\r\nHost: example.com.\r\n", "", "example.com.", "GET", "/", 0x0101},
	{"GET / HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n", "", "[2001:db8::1]", "GET", "/", 0x0101},
	{"GET / HTTP/1.1\r\nHost: a.example\r\n", "Host: b.example\r\n", "a.example", "GET", "/", 0x0101},
	{"GET / HTTP/1.0\r\n\r\n", "GET /2 HTTP/1.0\r\nHost: b.example\r\n", NULL, "GET", "/", 0x0100},
	{"GET / HTTP/1.1\r\nX-Host: example.com\r\nHosts: b\r\nHos: c\r\n\r\n", "", NULL, "GET", "/", 0x0101},
	{"GET / HTTP/1.1\r\nHost: \r\n", "A: b\r\n\r\n", NULL, "GET", "/", 0x0101},
	{"GET / HTTP/1.1\r\nA:\r\nHost: example.com\r\n", "", "example.com", "GET", "/", 0x0101},
	{"OPTIONS * HTTP/1.1\r\nHost: example.com\r\n", "", "example.com", "OPTIONS", "*", 0x0101},
	{"CONNECT example.com:443 HTTP/1.1\r\n\r\n", "", "example.com", "CONNECT", "example.com:443", 0x0101},
	{"CONNECT example.com:443 HTTP/1.1\r\nHost: example.org:443\r\n", "", "example.org", "CONNECT",
		"example.com:443", 0x0101},
	{"GET http://example.com/x HTTP/1.1\r\n\r\n", "", "example.com", "GET", "http://example.com/x",
		0x0101},
	{"GET http://example.com/x HTTP/1.1\r\nHost: example.org\r\n", "", "example.org", "GET",
		"http://example.com/x", 0x0101},
	{"GET HTTPS://u:p@example.com:8443?q@r HTTP/1.1\r\nA: b\r\n\r\n", "", "example.com", "GET",
		"HTTPS://u:p@example.com:8443?q@r", 0x0101},
	{"GET http://example.com HTTP/1.1\r\nHost: \r\n", "", "example.com", "GET", "http://example.com",
		0x0101},
	{"GET http:/// HTTP/1.1\r\n\r\n", "", NULL, "GET", "http:///", 0x0101},
	{"GET /http://example.com/ HTTP/1.1\r\n\r\n", "", NULL, "GET", "/http://example.com/", 0x0101},
	{"GET ://example.com/ HTTP/1.1\r\n\r\n", "", NULL, "GET", "://example.com/", 0x0101},
	{"PROPFIND / HTTP/1.1\r\nHost: example.com\r\n", "", "example.com", "PROPFIND", "/", 0x0101},
	{"SIXTEENLETTERSOK / HTTP/1.1\r\n\r\n", "", NULL, "SIXTEENLETTERSOK", "/", 0x0101},
	{"GET /\xd0\xb9 HTTP/1.1\r\nHost: example.com\r\n", "", "example.com", "GET", "/\xd0\xb9", 0x0101},
};

static void test_manifest(void **state)
{
	(void)state;
	assert_string_equal(kd_protocol_http.name, "http");
	assert_int_equal(kd_protocol_http.transports, KD_TRANSPORT_TCP);
	assert_int_equal(kd_protocol_http.has_name, 1);
	assert_int_equal(kd_protocol_http.budget_bytes, 8192);
	assert_string_equal(kd_protocol_http.fields[0].name, "host");
	assert_string_equal(kd_protocol_http.reasons[0].name, "http.request");
}

/* Every cut of every good head: a need-more until the byte that decides, the same answer from there on. */
static void test_good_requests(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		const struct request *r = &good[i];
		size_t decided = strlen(r->text), whole = decided + strlen(r->rest);
		char bytes[256];

		assert_true(whole < sizeof(bytes));
		memcpy(bytes, r->text, decided);
		memcpy(bytes + decided, r->rest, whole - decided);
		for (size_t len = 0; len <= whole; len++) {
			enum kd_parse got = parse(bytes, len);
			const char *why = kd_protocol_http.reasons[app.why].name;

			if (len < decided) {
				assert_int_equal(got, KD_NEED_MORE);
				assert_string_equal(why, "http.head_incomplete");
				continue;
			}
			assert_int_equal(got, KD_MATCH);
			assert_string_equal(why, r->host != NULL ? "http.request" : "http.no_host");
			expect_text(HOST, r->host);
			expect_text(METHOD, r->method);
			expect_text(URL, r->url);
			assert_non_null(app.field[VERSION].p);
			assert_int_equal(app.field[VERSION].num, r->version);
		}
	}
}

/* Where the next request begins, with http.requests = all: RFC 9112 2.2, 6. */
static void test_next(void **state)
{
#define ONE "GET / HTTP/1.1\r\nHost: a.example\r\n"
	static const struct {
		const char *text;
		unsigned int next;
		bool partial;
	} rows[] = {
		{ONE "\r\nGET /2", 35, false},
		{ONE "A: b\n\nGET /2", 39, false},
		{ONE "\r\n", 35, false},
		{ONE "\r\n\r\n\r\nGET /2", 39, false},
		{ONE, 0, true},
		{ONE "A: b", 0, true},
		{ONE "Content-Length: 7\r\n\r\n1234567GET /2", 61, false},
		{ONE "content-length:12345\r\n\r\n1", 12402, false}, /* behind what is here */
		{ONE "Content-Length: 7, 7\r\n\r\n1234567GET /2", 0, false},
		{ONE "Content-Length:\r\n\r\nGET /2", 0, false},
		{ONE "Content-Length: 99999999999\r\n\r\nGET /2", 0, false},
		{ONE "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /2", 0, false},
		{ONE "a line without a name\r\n\r\nGET /2", 0, false},
	};
#undef ONE

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (requests = KD_REQUESTS_FIRST; requests <= KD_REQUESTS_ALL; requests++) {
			bool all = requests == KD_REQUESTS_ALL;

			assert_int_equal(parse(rows[i].text, strlen(rows[i].text)), KD_MATCH);
			assert_int_equal(app.goes_on, all);
			assert_int_equal(app.next, all ? rows[i].next : 0);
			assert_int_equal(app.partial, all && rows[i].partial);
		}
	}
	requests = KD_REQUESTS_FIRST;
}

static void test_refused(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{"get / HTTP/1.1\r\n", "http.not_http"},
		{" GET / HTTP/1.1\r\n", "http.not_http"},
		{"\r\nGET / HTTP/1.1\r\n", "http.not_http"},
		{"SSH-2.0-OpenSSH_9.2\r\n", "http.not_http"},
		{"EHLO mail.example.com\r\n", "http.not_http"},
		{"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "http.not_http"},
		{"OPTIONS rtsp://example.com/ RTSP/1.0\r\n", "http.malformed"},
		{"DESCRIBE rtsp://example.com/ RTSP/1.0\r\n", "http.not_http"},
		{"INVITE sip:a@example.com SIP/2.0\r\n", "http.not_http"},
		{"HTTP/1.1 200 OK\r\n", "http.not_http"},
		{"SEVENTEENLETTERSX / HTTP/1.1\r\n", "http.not_http"},
		{"SEVENTEENLETTERSX", "http.not_http"},
		{"\x16\x03\x01", "http.not_http"},
		{"GET  / HTTP/1.1\r\n", "http.malformed"},
		{"GET\t/ HTTP/1.1\r\n", "http.not_http"},
		{"GET /  HTTP/1.1\r\n", "http.malformed"},
		{"GET /\r\n", "http.malformed"},
		{"GET / HTTP/1.2\r\n", "http.malformed"},
		{"GET / http/1.1\r\n", "http.malformed"},
		{"GET / HTTP/1.1 \r\n", "http.malformed"},
		{"GET / HTTP/1.1\rHost: a\r\n", "http.malformed"},
		{"GET / HTTP/1.1\r\nHost : example.com\r\n", "http.malformed"},
		{"GET / HTTP/1.1\r\n Host: example.com\r\n", "http.malformed"},
		{"GET / HTTP/1.1\r\nA: b\r\n c\r\nHost: example.com\r\n", "http.malformed"},
		{"GET / HTTP/1.1\r\nno colon\r\n", "http.malformed"},
		{"GET / HTTP/1.1\r\n: b\r\n", "http.malformed"},
		{"GET / HTTP/1.1\r\nA: b\rHost: c\r\n", "http.malformed"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(parse(cases[i].text, strlen(cases[i].text)), KD_NOT_MINE);
		assert_string_equal(kd_protocol_http.reasons[app.why].name, cases[i].why);
	}
	assert_int_equal(parse("GET / HTTP/1.1\r\nHost: a\0b\r\n", 27), KD_NOT_MINE);
	assert_int_equal(parse("GET /\0 HTTP/1.1\r\n", 17), KD_NOT_MINE);
}

/* Whatever one byte becomes, the fields stay inside the payload (parse() looks) and the answer is one of
 * three. */
static void test_every_byte_changed(void **state)
{
	char bytes[64];
	size_t len = strlen(good[2].text);

	(void)state;
	assert_true(len <= sizeof(bytes));
	memcpy(bytes, good[2].text, len);
	for (size_t at = 0; at < len; at++) {
		for (int value = 0; value <= 0xff; value++) {
			bytes[at] = (char)value;
			if (parse(bytes, len) == KD_MATCH && app.field[HOST].p != NULL)
				assert_true(app.field[HOST].p > copy + 22); /* behind the request line */
		}
		bytes[at] = good[2].text[at];
	}
}

static void test_long_head(void **state)
{
	const size_t room = 70000;
	char *bytes = malloc(room);

	(void)state;
	memset(bytes, 'a', room);
	memcpy(bytes, "GET /", 5);
	assert_int_equal(parse(bytes, room), KD_NEED_MORE);
	/* what lies past 16 bits of length is not looked at */
	memcpy(bytes + 65600, " HTTP/1.1\r\nHost: b\r\n", 20);
	assert_int_equal(parse(bytes, room), KD_NEED_MORE);
	memcpy(bytes + 65000, " HTTP/1.1\r\nHost: b\r\n", 20);
	assert_int_equal(parse(bytes, room), KD_MATCH);
	assert_int_equal(app.field[URL].len, 65000 - 4);
	expect_text(HOST, "b");
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
		cmocka_unit_test(test_good_requests),
		cmocka_unit_test(test_next),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_every_byte_changed),
		cmocka_unit_test(test_long_head),
	};

	return cmocka_run_group_tests_name("http", tests, NULL, drop_copy);
}

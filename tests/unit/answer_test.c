/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The bytes that `answer` forges, against messages written by hand from RFC 1035, 9110 and 8446, and who gets
 * them. Rules are made by hand: everything with payload is answered.
 */
#include "by_hand.h"

#include "engine/mechanism.h"

extern const struct kd_mechanism kd_mechanism_answer;

enum { DNS, NXDOMAIN, TO_302, PAGE, FIN, ALERT, ICMP };
enum { BOTH, TO_INSIDE, TO_OUTSIDE };

/* id 1234, RD, one question: lie.example, then type and class. */
#define HEAD(flags, answers) "\x12\x34" flags "\x00\x01\x00" answers "\x00\x00\x00\x00"
#define NAME                                                                                                 \
	"\x03lIe\x07"                                                                                        \
	"example\x00"
#define QUERY_A HEAD("\x01\x00", "\x00") NAME "\x00\x01\x00\x01"
#define QUERY_AAAA HEAD("\x01\x00", "\x00") NAME "\x00\x1c\x00\x01"

static const struct kd_span payload[] = {{1, 65535}};
static uint8_t address[16];
static const char *strings[2];
static struct kd_text texts[3];
static struct kd_action actions[64];
static struct kd_out out = {.actions = actions, .room = 64};
static struct kd_engine *e;
static struct kd_view v; /* of the frame at hand */

static void put_option(uint8_t *params, const char *name, uint64_t value)
{
	for (const struct kd_option *o = kd_mechanism_answer.options; o->name != NULL; o++) {
		uint16_t narrow = (uint16_t)value;

		if (strcmp(o->name, name) != 0)
			continue;
		if (o->kind == KD_OPTION_WORD)
			params[o->offset] = (uint8_t)value;
		else if (o->kind == KD_OPTION_ADDRESS)
			memcpy(params + o->offset, address, sizeof(address));
		else if (o->kind == KD_OPTION_TEXT)
			memcpy(params + o->offset, &narrow, sizeof(narrow));
		else
			memcpy(params + o->offset, &value, sizeof(value));
		return;
	}
	fail();
}

/* What all payload is answered with; `option` is what `text` belongs to, NULL = neither. */
static void answering(unsigned int form, unsigned int direction, const char *option, const char *text)
{
	struct kd_rule r = {.id = "r",
		.phase = KD_PHASE_PROTOCOL,
		.mechanism = KD_MECHANISM_answer,
		.first_term = term((struct kd_term){.kind = KD_TERM_LENGTH, .n = 1, .spans = payload})};
	const char *message, *hint;

	put_option(r.params, "form", form);
	put_option(r.params, "direction", direction);
	put_option(r.params, "ttl", 300 * SEC);
	if (option != NULL) {
		strings[0] = text;
		texts[1] = (struct kd_text){.p = text, .len = (uint16_t)strlen(text)};
		put_option(r.params, option, 1);
	}
	assert_false(kd_mechanism_answer.is_wrong(r.params, strings, &message, &hint));
	policy.texts = texts;
	rule(r);
	e = engine(64, 4096);
}

/* One packet; out then holds what became of it, the final action first. */
static void send(unsigned int side, uint8_t proto, const void *bytes, size_t len)
{
	struct feed *f = new_feed();

	out.count = 0;
	if (proto == KD_PROTO_TCP)
		add(f, &w0, side, T0, KD_TCP_ACK | KD_TCP_PSH, 1001, bytes, len);
	else
		add_ip(f, &w0, side, T0, proto, bytes, len);
	kd_engine_burst(e, f->pkt, 1, &out);
	feed_free(f);
	assert_true(out.count > 0);
}

static uint32_t add_up(uint32_t sum, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		sum += (uint32_t)p[i] << (i % 2 == 0 ? 8 : 0);
	while (sum > 0xffff)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* The nth injected frame goes to that side and holds this; its sums are right. */
static void expect_bytes(unsigned int n, unsigned int side, const void *bytes, size_t len)
{
	const struct kd_action *a = &actions[n];
	size_t l4_len;

	assert_true(n < out.count);
	assert_int_equal(a->fate, KD_INJECT);
	assert_int_equal(a->side, side);
	kd_decode(&v, a->data, a->len, a->len, KD_LINK_ETHERNET);
	assert_int_equal(v.reason, 0);
	assert_int_equal(v.payload_len, len);
	assert_memory_equal(a->data + v.payload_off, bytes, len);
	l4_len = v.ip_end - v.l4_off;
	assert_int_equal(kd_get32(v.src), side == KD_INSIDE ? SERVER : CLIENT);
	assert_int_equal(kd_get32(v.dst), side == KD_INSIDE ? CLIENT : SERVER);
	assert_int_equal(add_up(0, a->data + v.l3_off, 20), 0xffff);
	if (v.ip_proto == KD_PROTO_ICMP)
		return;
	assert_int_equal(v.dport, side == KD_INSIDE ? 40000 : 443);
	assert_int_equal(
		add_up(add_up(v.ip_proto + (uint32_t)l4_len, v.src, 8), a->data + v.l4_off, l4_len), 0xffff);
}

static int end(void **state)
{
	(void)state;
	kd_engine_free(e);
	e = NULL;
	return 0;
}

#define SEND(side, proto, text) send(side, proto, text, sizeof(text) - 1)
#define EXPECT(n, side, text) expect_bytes(n, side, text, sizeof(text) - 1)

static void expect_fate(uint8_t fate, const char *reason)
{
	assert_int_equal(actions[0].fate, fate);
	assert_string_equal(kd_reason_name(actions[0].reason), reason);
}

static void test_nxdomain(void **state)
{
	(void)state;
	answering(NXDOMAIN, TO_INSIDE, NULL, NULL);
	SEND(KD_INSIDE, KD_PROTO_UDP, QUERY_A);
	expect_fate(KD_DROP, "answer.answered");
	/* QR, RD as asked, RA, code 3; the question as it was asked. */
	EXPECT(1, KD_INSIDE, HEAD("\x81\x83", "\x00") NAME "\x00\x01\x00\x01");
	/* An option behind the question does not go back, RD was not asked for; the name in another case is
	 * the same. */
	SEND(KD_INSIDE, KD_PROTO_UDP,
		"\xff\xfe\x00\x00\x00\x01\x00\x00\x00\x00\x00\x01\x03LIE\x07"
		"example\x00\x00\x1c\x00\x01\x00\x00\x29"
		"\x04\xd0\x00\x00\x00\x00\x00\x00");
	EXPECT(1, KD_INSIDE,
		"\xff\xfe\x80\x83\x00\x01\x00\x00\x00\x00\x00\x00\x03LIE\x07"
		"example\x00\x00\x1c\x00\x01");
	/* Another name passes, and so does what no query is. */
	SEND(KD_INSIDE, KD_PROTO_UDP, HEAD("\x01\x00", "\x00") "\x03too\x00\x00\x01\x00\x01");
	expect_fate(KD_EMIT, "answer.other_name");
	assert_int_equal(out.count, 1);
	SEND(KD_INSIDE, KD_PROTO_UDP, HEAD("\x81\x00", "\x00") NAME "\x00\x01\x00\x01");
	expect_fate(KD_EMIT, "answer.no_query");
	SEND(KD_OUTSIDE, KD_PROTO_UDP, QUERY_A);
	expect_fate(KD_EMIT, "answer.other_way");
}

static void test_address(void **state)
{
	(void)state;
	memcpy(address, "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\x00\x02\x07", 16);
	answering(DNS, TO_INSIDE, "address", "");
	SEND(KD_INSIDE, KD_PROTO_UDP, QUERY_A);
	EXPECT(1, KD_INSIDE,
		HEAD("\x81\x80", "\x01") NAME
		"\x00\x01\x00\x01"
		"\xc0\x0c\x00\x01\x00\x01\x00\x00\x01\x2c\x00\x04\xc0\x00\x02\x07");
	/* There is none of the other kind, and the name exists. */
	SEND(KD_INSIDE, KD_PROTO_UDP, QUERY_AAAA);
	EXPECT(1, KD_INSIDE, HEAD("\x81\x80", "\x00") NAME "\x00\x1c\x00\x01");
}

static void test_address6(void **state)
{
	(void)state;
	memcpy(address, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07", 16);
	answering(DNS, TO_INSIDE, "address", "");
	SEND(KD_INSIDE, KD_PROTO_UDP, QUERY_AAAA);
	EXPECT(1, KD_INSIDE,
		HEAD("\x81\x80", "\x01") NAME
		"\x00\x1c\x00\x01"
		"\xc0\x0c\x00\x1c\x00\x01\x00\x00\x01\x2c\x00\x10"
		"\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x07");
}

static void test_dns_over_tcp(void **state)
{
	(void)state;
	answering(NXDOMAIN, TO_INSIDE, NULL, NULL);
	/* 29 bytes behind their length, both ways. */
	SEND(KD_INSIDE, KD_PROTO_TCP, "\x00\x1d" QUERY_A);
	expect_fate(KD_DROP, "answer.answered");
	EXPECT(1, KD_INSIDE, "\x00\x1d" HEAD("\x81\x83", "\x00") NAME "\x00\x01\x00\x01");
	assert_int_equal(v.tcp_flags, KD_TCP_FIN | KD_TCP_PSH | KD_TCP_ACK);
	assert_int_equal(v.ack, 1001 + 31);
	/* Half of one has no answer. */
	SEND(KD_INSIDE, KD_PROTO_TCP, "\x00\x1d\x12\x34\x01\x00\x00\x01");
	expect_fate(KD_DROP, "answer.no_query");
	assert_int_equal(out.count, 1);
}

static void test_http(void **state)
{
	(void)state;
	answering(TO_302, TO_INSIDE, "location", "http://blocked.example/");
	SEND(KD_INSIDE, KD_PROTO_TCP, "GET / HTTP/1.1\r\n\r\n");
	EXPECT(1, KD_INSIDE,
		"HTTP/1.1 302 Found\r\nLocation: http://blocked.example/\r\nContent-Length: 0\r\n"
		"Connection: close\r\n\r\n");
	/* The server has nothing to say any more. */
	SEND(KD_OUTSIDE, KD_PROTO_TCP, "HTTP/1.1 200 OK\r\n");
	expect_fate(KD_DROP, "answer.later");
	assert_int_equal(out.count, 1);
	SEND(KD_INSIDE, KD_PROTO_TCP, "");
	expect_fate(KD_DROP, "answer.later");
}

static void test_page(void **state)
{
	(void)state;
	answering(PAGE, TO_INSIDE, "body", "<p>no</p>!");
	SEND(KD_INSIDE, KD_PROTO_TCP, "GET / HTTP/1.1\r\n\r\n");
	EXPECT(1, KD_INSIDE,
		"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: 10\r\n"
		"Connection: close\r\n\r\n<p>no</p>!");
}

static void test_ends(void **state)
{
	(void)state;
	answering(ALERT, TO_INSIDE, NULL, NULL);
	SEND(KD_INSIDE, KD_PROTO_TCP, "hello");
	EXPECT(1, KD_INSIDE, "\x15\x03\x03\x00\x02\x02\x28");
	assert_int_equal(out.count, 2);
	end(state);
	start(state);
	answering(FIN, BOTH, NULL, NULL);
	SEND(KD_INSIDE, KD_PROTO_TCP, "hello");
	assert_int_equal(out.count, 3);
	EXPECT(1, KD_OUTSIDE, "");
	assert_int_equal(v.tcp_flags, KD_TCP_FIN | KD_TCP_ACK);
	assert_int_equal(v.seq, 1001);
	EXPECT(2, KD_INSIDE, "");
	assert_int_equal(v.tcp_flags, KD_TCP_FIN | KD_TCP_ACK);
	assert_int_equal(v.ack, 1006);
}

/* Only the end that is told. */
static void test_direction(void **state)
{
	(void)state;
	answering(FIN, TO_OUTSIDE, NULL, NULL);
	SEND(KD_INSIDE, KD_PROTO_TCP, "hello");
	assert_int_equal(out.count, 2);
	EXPECT(1, KD_OUTSIDE, "");
	end(state);
	start(state);
	answering(TO_302, TO_OUTSIDE, "location", "http://x/");
	SEND(KD_INSIDE, KD_PROTO_TCP, "hello");
	expect_fate(KD_EMIT, "answer.other_way");
	assert_int_equal(out.count, 1);
}

/* RFC 792: type 3, code 13, four bytes unused, the datagram that did not arrive. */
static void test_icmp(void **state)
{
	uint8_t want[28 + 5] = {
		0x45, 0, 0, 33, [8] = 64, KD_PROTO_UDP, [12] = 198, 18, 0, 2, 203, 0, 113, 10};
	const struct kd_action *a = &actions[1];

	(void)state;
	kd_put16(want + 20, 40000);
	kd_put16(want + 22, 443);
	kd_put16(want + 24, 13);
	memcpy(want + 28, "hello", 5);
	answering(ICMP, TO_INSIDE, NULL, NULL);
	SEND(KD_INSIDE, KD_PROTO_UDP, "hello");
	expect_fate(KD_DROP, "answer.answered");
	assert_int_equal(a->side, KD_INSIDE);
	assert_int_equal(a->len, 14 + 20 + 8 + 33);
	assert_int_equal(kd_get16(a->data + 16), 20 + 8 + 33);
	assert_int_equal(a->data[23], KD_PROTO_ICMP);
	assert_int_equal(kd_get32(a->data + 26), SERVER);
	assert_int_equal(kd_get32(a->data + 30), CLIENT);
	assert_int_equal(kd_get16(a->data + 34), 3 << 8 | 13);
	assert_int_equal(kd_get32(a->data + 38), 0);
	assert_memory_equal(a->data + 42, want, sizeof(want));
	assert_int_equal(add_up(0, a->data + 34, 8 + 33), 0xffff);
	assert_int_equal(add_up(0, a->data + 14, 20), 0xffff);
}

/* The longest texts fit, behind IPv4 and Ethernet; a question of the longest name too. */
static void test_longest(void **state)
{
	char url[257], body[257];
	uint8_t query[12 + 255 + 4] = {0x12, 0x34, 1, 0, 0, 1};

	(void)state;
	memset(url, 'u', 256);
	memset(body, 'b', 256);
	url[256] = body[256] = '\0';
	answering(TO_302, TO_INSIDE, "location", url);
	SEND(KD_INSIDE, KD_PROTO_TCP, "x");
	assert_int_equal(out.count, 2);
	assert_int_equal(actions[1].len, 54 + 72 + 256);
	end(state);
	start(state);
	answering(PAGE, TO_INSIDE, "body", body);
	SEND(KD_INSIDE, KD_PROTO_TCP, "x");
	assert_int_equal(out.count, 2);
	assert_int_equal(actions[1].len, 54 + 99 + 256);
	end(state);
	start(state);
	memcpy(address, "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\x00\x02\x07", 16);
	answering(DNS, TO_INSIDE, "address", "");
	for (unsigned int i = 0; i < 4; i++) {
		query[12 + 64 * i] = i < 3 ? 63 : 61;
		memset(query + 13 + 64 * i, 'a', i < 3 ? 63 : 61);
	}
	query[268] = query[270] = 1;
	send(KD_INSIDE, KD_PROTO_UDP, query, sizeof(query));
	assert_int_equal(out.count, 2);
	assert_int_equal(actions[1].len, 42 + sizeof(query) + 16);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, start, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_nxdomain),
		TEST(test_address),
		TEST(test_address6),
		TEST(test_dns_over_tcp),
		TEST(test_http),
		TEST(test_page),
		TEST(test_ends),
		TEST(test_direction),
		TEST(test_icmp),
		TEST(test_longest),
	};

	return cmocka_run_group_tests(tests, make_sets, drop_sets);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A client's hello in other clothes: lengths, numbers and sums of what goes out instead of it, worked out by
 * hand from a ClientHello of 76 bytes whose name of 15 stands at byte 61.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include "engine/checksum.h"
#include "drivers/shape.h"
#include "engine/cursor.h"
#include "engine/engine.h"

#define HELLO_LEN 76
#define NAME_AT 61
#define NAME "www.example.org"
#define ISN 1000u
#define START 1001u
#define ENDS (START + HELLO_LEN)

static const uint8_t hello[HELLO_LEN] = {0x16, 3, 1, 0, 71, /* record */
	1, 0, 0, 67, 3, 3,				    /* ClientHello of 67 bytes, 1.2 */
	[43] = 0, 0, 2, 0x13, 1, 1, 0, 0, 24, /* no session id, a cipher suite, no compression, extensions */
	0, 0, 0, 20, 0, 18, 0, 0, 15,	      /* server_name */
	'w', 'w', 'w', '.', 'e', 'x', 'a', 'm', 'p', 'l', 'e', '.', 'o', 'r', 'g'};

static const struct kd_tuple tuple4 = {
	.addr = {{198, 18, 0, 2}, {203, 0, 113, 10}}, .port = {40000, 443}, .ip_version = 4, .ip_proto = 6};

/* A packet of the flow, without a link header. */
struct packet {
	uint8_t bytes[2048];
	struct kd_captured c;
	uint64_t number;
};

static uint64_t numbers;
static bool v6;

static uint32_t add16(uint32_t sum, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		sum += i % 2 == 0 ? (uint32_t)p[i] << 8 : p[i];
	return sum;
}

static uint16_t folded(uint32_t sum)
{
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* options: of TCP, a multiple of 4. */
static void make(struct packet *p, bool back, uint32_t seq, uint32_t ack, uint8_t flags, const void *options,
	size_t options_len, const void *payload, size_t len)
{
	size_t l4 = v6 ? 40 : 20, tcp_len = 20 + options_len + len;
	uint8_t *ip = p->bytes, *tcp = ip + l4;

	memset(p, 0, sizeof(*p));
	if (v6) {
		ip[0] = 0x60;
		kd_put16(ip + 4, (uint16_t)tcp_len);
		ip[6] = 6;
		ip[7] = 64;
		memcpy(ip + 8, tuple4.addr[back], 4);
		memcpy(ip + 24, tuple4.addr[!back], 4);
	} else {
		ip[0] = 0x45;
		kd_put16(ip + 2, (uint16_t)(20 + tcp_len));
		kd_put16(ip + 4, 0x1234);
		kd_put16(ip + 6, 0x4000);
		ip[8] = 64;
		ip[9] = 6;
		memcpy(ip + 12, tuple4.addr[back], 4);
		memcpy(ip + 16, tuple4.addr[!back], 4);
		kd_put16(ip + 10, folded(add16(0, ip, 20)));
	}
	kd_put16(tcp, tuple4.port[back]);
	kd_put16(tcp + 2, tuple4.port[!back]);
	kd_put32(tcp + 4, seq);
	kd_put32(tcp + 8, ack);
	tcp[12] = (uint8_t)((20 + options_len) / 4 << 4);
	tcp[13] = flags;
	kd_put16(tcp + 14, 500);
	if (options_len > 0)
		memcpy(tcp + 20, options, options_len);
	if (len > 0)
		memcpy(tcp + 20 + options_len, payload, len);
	kd_put16(tcp + 16,
		folded(add16(add16(6 + (uint32_t)tcp_len, ip + (v6 ? 8 : 12), v6 ? 32 : 8), tcp, tcp_len)));
	p->c = (struct kd_captured){.data = p->bytes, .len = (uint32_t)(l4 + tcp_len), .dlt = 101};
	p->c.wire_len = p->c.len;
	p->number = ++numbers;
}

static void client(struct packet *p, uint32_t seq, const void *payload, size_t len)
{
	make(p, false, seq, 5001, KD_TCP_ACK | (len > 0 ? KD_TCP_PSH : 0), NULL, 0, payload, len);
}

static struct kd_shape *shape;
static struct kd_captured out[KD_SHAPE_PIECES];
static unsigned int nout;
static struct packet syn, syn_ack, first;

static int show(const struct packet *p)
{
	return kd_shape_show(shape, &p->c, p->number, KD_LINK_RAW);
}

/* A flow whose SYN and SYN/ACK were shown. */
static void begin(const void *options, size_t options_len)
{
	struct kd_shape_flow flow = {.tuple = tuple4, .first = 1, .until = UINT64_MAX};

	numbers = 0;
	flow.tuple.ip_version = v6 ? 6 : 4;
	assert_int_equal(kd_shape_new(&shape, &flow), 0);
	make(&syn, false, ISN, 0, KD_TCP_SYN, NULL, 0, NULL, 0);
	make(&syn_ack, true, 5000, ISN + 1, KD_TCP_SYN | KD_TCP_ACK, options, options_len, NULL, 0);
	assert_int_equal(show(&syn), 1);
	assert_int_equal(show(&syn_ack), 1);
}

static void begin_with_hello(void)
{
	begin(NULL, 0);
	client(&first, START, hello, HELLO_LEN);
	assert_int_equal(show(&first), 0);
}

static int end(void **state)
{
	(void)state;
	kd_shape_free(shape);
	shape = NULL;
	v6 = false;
	return 0;
}

static void apply(const struct packet *p)
{
	nout = kd_shape_apply(shape, &p->c, p->number, KD_LINK_RAW, out);
}

static struct kd_view view_of(unsigned int i)
{
	struct kd_view v;

	assert_true(i < nout);
	kd_decode(&v, out[i].data, out[i].len, out[i].wire_len, KD_LINK_RAW);
	return v;
}

static void check_sums(unsigned int i)
{
	struct kd_view v = view_of(i);
	struct kd_sums sums;

	kd_sums_judge(&sums, out[i].data, &v);
	assert_int_equal(sums.ip, KD_SUM_GOOD);
	assert_int_equal(sums.transport, KD_SUM_GOOD);
}

static const uint8_t *check_segment(unsigned int i, uint32_t seq, size_t len, bool push)
{
	struct kd_view v = view_of(i);

	assert_int_equal(v.reason, 0);
	assert_int_equal(v.seq, seq);
	assert_int_equal(v.ack, 5001);
	assert_int_equal(v.payload_len, len);
	assert_int_equal(v.payload_wire_len, len);
	assert_int_equal(v.tcp_flags, KD_TCP_ACK | (push ? KD_TCP_PSH : 0));
	check_sums(i);
	return out[i].data + v.payload_off;
}

static void check_moved(uint32_t by)
{
	struct packet p;

	client(&p, ENDS, "x", 1);
	apply(&p);
	assert_int_equal(nout, 1);
	assert_int_equal(view_of(0).seq, ENDS + by);
	check_sums(0);
	make(&p, true, 5001, ENDS, KD_TCP_ACK, NULL, 0, NULL, 0);
	apply(&p);
	assert_int_equal(nout, 1);
	assert_int_equal(view_of(0).ack, ENDS + by);
	assert_int_equal(view_of(0).seq, 5001);
	check_sums(0);
	make(&p, true, 5001, ENDS - 1, KD_TCP_ACK, NULL, 0, NULL, 0);
	apply(&p);
	assert_int_equal(view_of(0).ack, ENDS - 1);
}

static void test_segments(void **state)
{
	const uint8_t *p;

	(void)state;
	begin_with_hello();
	assert_int_equal(kd_shape_choose(shape, KD_SHAPE_SEGMENTS), 0);
	apply(&syn);
	assert_int_equal(nout, 1);
	assert_ptr_equal(out[0].data, syn.bytes);
	assert_false(kd_shape_done(shape));
	apply(&first);
	assert_int_equal(nout, 2);
	assert_true(kd_shape_done(shape));
	assert_int_equal(kd_shape_added(shape), 1);
	p = check_segment(0, START, 68, false);
	assert_memory_equal(p, hello, 68);
	p = check_segment(1, START + 68, 8, true);
	assert_memory_equal(p, hello + 68, 8);
	assert_int_equal(kd_get16(out[0].data + 4), 0x1234);
	assert_int_equal(kd_get16(out[1].data + 4), 0);
	check_moved(0);
}

static void test_records(void **state)
{
	static const uint8_t second[] = {0x16, 3, 1, 0, 8, 'p', 'l', 'e', '.', 'o', 'r', 'g'};
	const uint8_t *p;

	(void)state;
	begin_with_hello();
	assert_int_equal(kd_shape_choose(shape, KD_SHAPE_RECORDS), 0);
	apply(&first);
	assert_int_equal(nout, 1);
	assert_int_equal(kd_shape_added(shape), 0);
	p = check_segment(0, START, HELLO_LEN + 5, true);
	assert_int_equal(kd_get16(p + 3), 63);
	assert_memory_equal(p + 5, hello + 5, 63);
	assert_memory_equal(p + 68, second, 5);
	assert_memory_equal(p + 73, hello + 68, 8);
	check_moved(5);
}

static void test_both(void **state)
{
	const uint8_t *p;

	(void)state;
	begin_with_hello();
	assert_int_equal(kd_shape_choose(shape, KD_SHAPE_BOTH), 0);
	apply(&first);
	assert_int_equal(nout, 2);
	p = check_segment(0, START, NAME_AT + 1, false);
	assert_int_equal(kd_get16(p + 3), 63);
	p = check_segment(1, START + NAME_AT + 1, HELLO_LEN + 5 - NAME_AT - 1, true);
	assert_memory_equal(p, "ww.exa", 6);
	assert_int_equal(p[6], 0x16);
	check_moved(5);
}

static void test_record_before(void **state)
{
	static const uint8_t ccs[] = {0x14, 3, 3, 0, 1, 1};
	const uint8_t *p;

	(void)state;
	begin_with_hello();
	assert_int_equal(kd_shape_choose(shape, KD_SHAPE_RECORD_BEFORE), 0);
	apply(&first);
	assert_int_equal(nout, 1);
	p = check_segment(0, START, HELLO_LEN + 6, true);
	assert_memory_equal(p, ccs, 6);
	assert_memory_equal(p + 6, hello, HELLO_LEN);
	check_moved(6);
}

static void test_dot(void **state)
{
	const uint8_t *p;

	(void)state;
	begin_with_hello();
	assert_int_equal(kd_shape_choose(shape, KD_SHAPE_DOT), 0);
	apply(&first);
	p = check_segment(0, START, HELLO_LEN + 1, true);
	assert_memory_equal(p + NAME_AT, NAME ".", 16);
	assert_int_equal(kd_get16(p + 3), 72);
	assert_int_equal(kd_get32(p + 5), 1 << 24 | 68);
	assert_int_equal(kd_get16(p + 50), 25); /* extensions */
	assert_int_equal(kd_get16(p + 54), 21);
	assert_int_equal(kd_get16(p + 56), 19);
	assert_int_equal(kd_get16(p + 59), 16);
	check_moved(1);
}

/* 20 bytes of TCP and 68 of the hello are 88, a multiple of 8. */
static void test_fragments(void **state)
{
	const uint8_t *p;

	(void)state;
	begin_with_hello();
	assert_int_equal(kd_shape_choose(shape, KD_SHAPE_FRAGMENTS), 0);
	apply(&first);
	assert_int_equal(nout, 2);
	assert_int_equal(out[0].len, 20 + 88);
	assert_int_equal(out[1].len, 20 + 8);
	for (unsigned int i = 0; i < 2; i++) {
		p = out[i].data;
		assert_int_equal(kd_get16(p + 2), out[i].len);
		assert_int_equal(kd_get16(p + 4), 0x1234);
		assert_int_equal(folded(add16(0, p, 20)), 0);
	}
	assert_int_equal(kd_get16(out[0].data + 6), 0x2000);
	assert_int_equal(kd_get16(out[1].data + 6), 88 / 8);
	assert_memory_equal(out[0].data + 20, first.bytes + 20, 88);
	assert_memory_equal(out[1].data + 20, hello + 68, 8);
	check_moved(0);
}

static void test_fragments_ipv6(void **state)
{
	(void)state;
	v6 = true;
	begin_with_hello();
	assert_int_equal(kd_shape_choose(shape, KD_SHAPE_FRAGMENTS), 0);
	apply(&first);
	assert_int_equal(nout, 2);
	assert_int_equal(kd_get16(out[0].data + 4), 8 + 88);
	assert_int_equal(kd_get16(out[1].data + 4), 8 + 8);
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(out[i].data[6], 44);
		assert_int_equal(out[i].data[40], 6);
	}
	assert_int_equal(kd_get16(out[0].data + 42), 1);
	assert_int_equal(kd_get16(out[1].data + 42), 88);
	assert_int_equal(kd_get32(out[0].data + 44), kd_get32(out[1].data + 44));
	check_moved(0);
}

/* The later half came first; what goes out does so once, in place of the first packet of it. */
static void test_gathered(void **state)
{
	struct packet early, late, again;
	const uint8_t *p;

	(void)state;
	begin(NULL, 0);
	client(&late, START + 40, hello + 40, HELLO_LEN - 40);
	client(&early, START, hello, 40);
	assert_int_equal(show(&late), 1);
	assert_int_equal(show(&early), 0);
	client(&again, START + 40, hello + 40, HELLO_LEN - 40);
	assert_int_equal(kd_shape_choose(shape, KD_SHAPE_RECORDS), 0);
	apply(&late);
	assert_int_equal(nout, 1);
	p = check_segment(0, START, HELLO_LEN + 5, true);
	assert_memory_equal(p + 5, hello + 5, 63);
	apply(&early);
	assert_int_equal(nout, 0);
	apply(&again);
	assert_int_equal(nout, 0);
	assert_int_equal(kd_shape_added(shape), -2);
}

/* Two records in the capture are one before they are cut; what follows them in their packet follows. */
static void test_cut_before(void **state)
{
	uint8_t bytes[HELLO_LEN + 5 + 3] = {0x16, 3, 1, 0, 20};
	struct packet p;
	const uint8_t *got;

	(void)state;
	begin(NULL, 0);
	memcpy(bytes + 5, hello + 5, 20);
	memcpy(bytes + 25, (const uint8_t[]){0x16, 3, 1, 0, 51}, 5);
	memcpy(bytes + 30, hello + 25, 51);
	memcpy(bytes + 81, "abc", 3);
	client(&p, START, bytes, sizeof(bytes));
	assert_int_equal(show(&p), 0);
	assert_int_equal(kd_shape_choose(shape, KD_SHAPE_SEGMENTS), 0);
	apply(&p);
	assert_int_equal(nout, 3);
	got = check_segment(0, START, 68, false);
	assert_memory_equal(got, hello, 68);
	check_segment(1, START + 68, 8, true);
	got = check_segment(2, START + 76, 3, true);
	assert_memory_equal(got, "abc", 3);
}

static void test_mss(void **state)
{
	static const uint8_t mss[] = {1, 1, 1, 1, 2, 4, 0, 40};

	(void)state;
	begin(mss, sizeof(mss));
	client(&first, START, hello, HELLO_LEN);
	assert_int_equal(show(&first), 0);
	assert_int_equal(kd_shape_choose(shape, KD_SHAPE_SEGMENTS), 0);
	apply(&first);
	assert_int_equal(nout, 3);
	check_segment(0, START, 40, false);
	check_segment(1, START + 40, 28, false);
	check_segment(2, START + 68, 8, true);
}

static void test_sack(void **state)
{
	uint8_t options[12] = {1, 5, 10};
	struct packet p;
	const uint8_t *tcp;

	(void)state;
	begin_with_hello();
	assert_int_equal(kd_shape_choose(shape, KD_SHAPE_RECORDS), 0);
	apply(&first);
	kd_put32(options + 3, ENDS + 10);
	kd_put32(options + 7, ENDS + 20);
	make(&p, true, 5001, ENDS, KD_TCP_ACK, options, sizeof(options), NULL, 0);
	apply(&p);
	tcp = out[0].data + 20;
	assert_int_equal(kd_get32(tcp + 23), ENDS + 15);
	assert_int_equal(kd_get32(tcp + 27), ENDS + 25);
	check_sums(0);
}

/* A sum that was wrong stays wrong by as much: it may be what the packet is for. */
static void test_wrong_sum_stays(void **state)
{
	struct kd_sums sums;
	struct kd_view v;
	struct packet p;

	(void)state;
	begin_with_hello();
	assert_int_equal(kd_shape_choose(shape, KD_SHAPE_RECORDS), 0);
	apply(&first);
	client(&p, ENDS, "x", 1);
	p.bytes[36] ^= 0x10;
	apply(&p);
	v = view_of(0);
	kd_sums_judge(&sums, out[0].data, &v);
	assert_int_equal(sums.transport, KD_SUM_BAD);
	assert_int_equal(v.seq, ENDS + 5);
}

static void test_other_flows(void **state)
{
	struct packet p;

	(void)state;
	begin_with_hello();
	assert_int_equal(kd_shape_choose(shape, KD_SHAPE_RECORDS), 0);
	apply(&first);
	client(&p, ENDS, "x", 1);
	kd_put16(p.bytes + 20, 40001);
	apply(&p);
	assert_int_equal(nout, 1);
	assert_ptr_equal(out[0].data, p.bytes);
}

static void test_left_alone(void **state)
{
	static const uint8_t decoy[40] = {0x16, 3, 1, 0, 71, 1, 0, 0, 68};
	struct packet p;

	(void)state;
	begin(NULL, 0);
	client(&p, START, hello, 40);
	assert_int_equal(show(&p), 1);
	client(&p, START, decoy, sizeof(decoy));
	assert_int_equal(show(&p), -EOPNOTSUPP);
	assert_non_null(strstr(kd_shape_why(shape), "two different things"));
	kd_shape_free(shape);

	begin(NULL, 0);
	client(&p, START - 10000, hello, HELLO_LEN);
	assert_int_equal(show(&p), -EOPNOTSUPP);
	kd_shape_free(shape);

	begin(NULL, 0);
	make(&p, false, START, 5001, KD_TCP_ACK | KD_TCP_URG, NULL, 0, hello, HELLO_LEN);
	assert_int_equal(show(&p), -EOPNOTSUPP);
}

static void test_http(void **state)
{
	static const char request[] = "GET / HTTP/1.1\r\nHost: " NAME "\r\n\r\n";
	static const char dotted[] = "GET / HTTP/1.1\r\nHost: " NAME ".\r\n\r\n";
	struct packet p;

	(void)state;
	begin(NULL, 0);
	client(&p, START, request, sizeof(request) - 1);
	assert_int_equal(show(&p), 0);
	assert_int_equal(kd_shape_choose(shape, KD_SHAPE_RECORDS), -EOPNOTSUPP);
	assert_int_equal(kd_shape_choose(shape, KD_SHAPE_BOTH), -EOPNOTSUPP);
	assert_int_equal(kd_shape_choose(shape, KD_SHAPE_RECORD_BEFORE), -EOPNOTSUPP);
	assert_int_equal(kd_shape_choose(shape, KD_SHAPE_DOT), 0);
	apply(&p);
	assert_memory_equal(check_segment(0, START, sizeof(dotted) - 1, true), dotted, sizeof(dotted) - 1);
	assert_int_equal(kd_shape_choose(shape, KD_SHAPE_SEGMENTS), 0);
	apply(&p);
	assert_int_equal(nout, 2);
	check_segment(0, START, 22 + 7, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_segments, end),
		cmocka_unit_test_teardown(test_records, end),
		cmocka_unit_test_teardown(test_both, end),
		cmocka_unit_test_teardown(test_record_before, end),
		cmocka_unit_test_teardown(test_dot, end),
		cmocka_unit_test_teardown(test_fragments, end),
		cmocka_unit_test_teardown(test_fragments_ipv6, end),
		cmocka_unit_test_teardown(test_gathered, end),
		cmocka_unit_test_teardown(test_cut_before, end),
		cmocka_unit_test_teardown(test_mss, end),
		cmocka_unit_test_teardown(test_sack, end),
		cmocka_unit_test_teardown(test_wrong_sum_stays, end),
		cmocka_unit_test_teardown(test_other_flows, end),
		cmocka_unit_test_teardown(test_left_alone, end),
		cmocka_unit_test_teardown(test_http, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The decoder against frames written out by hand: layouts from RFC 791, 8200, 9293, 768, 792, 2516, 3032 and
 * IEEE 802.1Q. Every frame is handed over as an exact-size heap copy, so that a read past its end is a crash
 * under AddressSanitizer. What the engine makes of a reason is not tested here.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "engine/decode.h"
#include "engine/engine.h"
#include "engine/reason.h"

#include "frames.h"

static struct kd_view ether(const struct frame *f)
{
	return run(f, f->n, f->n, KD_LINK_ETHERNET);
}

static void expect_hello(const struct kd_view *v, size_t l3, size_t l4)
{
	assert_string_equal(kd_reason_name(v->reason), "none");
	assert_int_equal(v->l3_off, l3);
	assert_int_equal(v->l4_off, l4);
	assert_int_equal(v->ip_proto, KD_PROTO_TCP);
	assert_int_equal(v->sport, 40120);
	assert_int_equal(v->dport, 443);
	assert_int_equal(v->payload_off, l4 + 20);
	assert_int_equal(v->payload_len, 5);
	assert_int_equal(v->payload_wire_len, 5);
	assert_int_equal(v->ip_end, l4 + 25);
	assert_memory_equal(copy + v->payload_off, "hello", 5);
	assert_false(v->fragment);
}

static void expect_reason(const struct kd_view *v, uint16_t reason)
{
	assert_string_equal(kd_reason_name(v->reason), kd_reason_name(reason));
}

static void test_ipv4_tcp(void **state)
{
	(void)state;
	struct frame f = {0};
	struct kd_view v;

	put_macs(&f);
	PUT(&f, 8, 0);
	put_ip4_tcp(&f);
	v = ether(&f);
	expect_hello(&v, 14, 34);
	assert_int_equal(v.ip_version, 4);
	assert_int_equal(v.ttl, 63);
	assert_int_equal(v.tcp_flags, KD_TCP_PSH | KD_TCP_ACK);
	assert_int_equal(v.seq, 0x01020304);
	assert_int_equal(v.ack, 0xa0b0c0d0);
	assert_false(v.mpls);
	assert_int_equal(v.pppoe_off, 0);
	assert_ptr_equal(v.src, copy + 26);
	assert_ptr_equal(v.dst, copy + 30);
}

static void test_padding_is_no_payload(void **state)
{
	(void)state;
	struct frame f = {0};
	struct kd_view v;

	put_macs(&f);
	PUT(&f, 8, 0);
	put_ip4(&f, 6, 40);
	put_tcp(&f);
	put(&f, "PADPAD", 6); /* to the 60 bytes of the smallest Ethernet frame */
	v = ether(&f);
	assert_int_equal(v.reason, 0);
	assert_int_equal(v.payload_len, 0);
	assert_int_equal(v.payload_off, 54);
	assert_int_equal(v.ip_end, 54);
}

static void test_ipv4_options(void **state)
{
	(void)state;
	struct frame f = {0};
	struct kd_view v;

	put_macs(&f);
	PUT(&f, 8, 0);
	put_ip4(&f, 6, 20 + 8 + 20 + 5);
	f.b[14] = 0x47;
	PUT(&f, 1, 1, 1, 1, 1, 1, 1, 0);
	put_tcp(&f);
	put(&f, "hello", 5);
	v = ether(&f);
	expect_hello(&v, 14, 42);
}

static void test_ipv6_tcp(void **state)
{
	(void)state;
	struct frame f = {0};
	struct kd_view v;

	put_macs(&f);
	PUT(&f, 0x86, 0xdd);
	put_ip6_tcp(&f);
	v = ether(&f);
	expect_hello(&v, 14, 54);
	assert_int_equal(v.ip_version, 6);
	assert_int_equal(v.ttl, 61);
	assert_ptr_equal(v.src, copy + 22);
	assert_ptr_equal(v.dst, copy + 38);
}

static void test_ipv6_extension_headers(void **state)
{
	(void)state;
	struct frame f = {0};
	struct kd_view v;

	/* hop-by-hop 8, destination 16, routing 8, AH 12 + 4 of ICV, atomic fragment 8, TCP 25 */
	put_macs(&f);
	PUT(&f, 0x86, 0xdd);
	put_ip6(&f, 0, 8 + 16 + 8 + 16 + 8 + 25);
	PUT(&f, 60, 0, 1, 4, 0, 0, 0, 0);
	PUT(&f, 43, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
	PUT(&f, 51, 0, 4, 0, 0, 0, 0, 0);
	PUT(&f, 44, 2, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0xde, 0xad, 0xbe, 0xef);
	PUT(&f, 6, 0, 0, 0, 1, 2, 3, 4);
	put_tcp(&f);
	put(&f, "hello", 5);
	v = ether(&f);
	expect_hello(&v, 14, 54 + 56);

	f.b[54 + 1] = 9; /* hop-by-hop says 80 bytes: 1 of the 81 is left for the next one */
	v = ether(&f);
	expect_reason(&v, KD_REASON_DECODE_EXT_HEADERS);
	assert_int_equal(v.ip_version, 6);
	f.b[54 + 1] = 0;
	f.b[54 + 32 + 1] = 0; /* an AH of 8 bytes does not exist */
	v = ether(&f);
	expect_reason(&v, KD_REASON_DECODE_EXT_HEADERS);
}

static void test_ipv6_extension_headers_limit(void **state)
{
	(void)state;
	for (unsigned int n = KD_EXT_HEADERS_MAX; n <= KD_EXT_HEADERS_MAX + 1; n++) {
		struct frame f = {0};
		struct kd_view v;

		put_macs(&f);
		PUT(&f, 0x86, 0xdd);
		put_ip6(&f, 60, (uint16_t)(8 * n + 25));
		for (unsigned int i = 0; i < n; i++)
			PUT(&f, i + 1 < n ? 60 : 6, 0, 1, 4, 0, 0, 0, 0);
		put_tcp(&f);
		put(&f, "hello", 5);
		v = ether(&f);
		if (n == KD_EXT_HEADERS_MAX)
			expect_hello(&v, 14, 54 + 8 * n);
		else
			expect_reason(&v, KD_REASON_DECODE_EXT_HEADERS);
	}
}

static void test_ipv6_no_next_header(void **state)
{
	(void)state;
	struct frame f = {0};
	struct kd_view v;

	put_macs(&f);
	PUT(&f, 0x86, 0xdd);
	put_ip6(&f, 59, 4);
	put(&f, "rest", 4);
	v = ether(&f);
	assert_int_equal(v.reason, 0);
	assert_int_equal(v.ip_proto, 59);
	assert_int_equal(v.payload_off, 54);
	assert_int_equal(v.payload_len, 4);
	assert_int_equal(v.sport, 0);
}

static void test_fragments(void **state)
{
	(void)state;
	static const uint8_t cases[][2] = {{0x20, 0x00}, {0x20, 0x05}, {0x00, 0x05}, {0x1f, 0xff}};
	struct frame f4 = {0}, f6 = {0};
	struct kd_view v;

	put_macs(&f4);
	PUT(&f4, 8, 0);
	put_ip4_tcp(&f4);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		f4.b[20] = cases[i][0];
		f4.b[21] = cases[i][1];
		v = ether(&f4);
		expect_reason(&v, KD_REASON_FRAG_NOT_INSPECTED);
		assert_true(v.fragment);
		assert_int_equal(v.ip_version, 4);
		assert_int_equal(v.ip_proto, 6);
		assert_int_equal(v.sport, 0);
		assert_int_equal(v.dport, 0);
		assert_int_equal(v.ip_end, 59);
		assert_memory_equal(v.dst, ((uint8_t[]){203, 0, 113, 10}), 4);
	}

	put_macs(&f6);
	PUT(&f6, 0x86, 0xdd);
	put_ip6(&f6, 44, 8 + 25);
	PUT(&f6, 6, 0, 0, 1, 1, 2, 3, 4); /* offset 0, more fragments */
	put_tcp(&f6);
	put(&f6, "hello", 5);
	v = ether(&f6);
	expect_reason(&v, KD_REASON_FRAG_NOT_INSPECTED);
	assert_int_equal(v.ip_proto, 6);
	f6.b[57] = 8; /* offset 1, the last one */
	v = ether(&f6);
	expect_reason(&v, KD_REASON_FRAG_NOT_INSPECTED);
	assert_int_equal(v.dport, 0);
	f6.b[57] = 6; /* reserved bits only: atomic */
	v = ether(&f6);
	expect_hello(&v, 14, 62);
	f6.b[54] = 60; /* of a fragment's fragmentable part nothing is walked */
	f6.b[57] = 8;
	v = ether(&f6);
	expect_reason(&v, KD_REASON_FRAG_NOT_INSPECTED);
	assert_int_equal(v.ip_proto, 60);
}

static void test_vlan_tags(void **state)
{
	(void)state;
	static const uint16_t types[] = {0x8100, 0x88a8, 0x9100, 0x9200};

	for (unsigned int n = 1; n <= KD_TAGS_MAX + 1; n++) {
		struct frame f = {0};
		struct kd_view v;

		put_macs(&f);
		for (unsigned int i = 0; i < n; i++)
			PUT(&f, (uint8_t)(types[i % 4] >> 8), (uint8_t)types[i % 4], 0x20, 100);
		PUT(&f, 8, 0);
		put_ip4_tcp(&f);
		v = ether(&f);
		if (n <= KD_TAGS_MAX) {
			expect_hello(&v, 14 + 4 * n, 34 + 4 * n);
		} else {
			expect_reason(&v, KD_REASON_DECODE_TAGS);
			assert_int_equal(v.ip_version, 0);
		}
	}
}

static void test_mpls(void **state)
{
	(void)state;
	for (unsigned int vlans = 0; vlans <= 2; vlans++) {
		for (unsigned int labels = 1; labels + vlans <= KD_TAGS_MAX + 1; labels++) {
			struct frame f = {0};
			struct kd_view v;

			put_macs(&f);
			for (unsigned int i = 0; i < vlans; i++)
				PUT(&f, 0x81, 0, 0, 7);
			PUT(&f, 0x88, labels % 2 ? 0x47 : 0x48);
			for (unsigned int i = 0; i < labels; i++)
				PUT(&f, 0x00, 0x3e, i + 1 < labels ? 0x80 : 0x81,
					64); /* label 1000, bottom bit */
			put_ip6_tcp(&f);
			v = ether(&f);
			if (labels + vlans <= KD_TAGS_MAX)
				expect_hello(&v, 14 + 4 * (labels + vlans), 54 + 4 * (labels + vlans));
			else
				expect_reason(&v, KD_REASON_DECODE_TAGS);
			assert_true(v.mpls);
		}
	}
}

static void test_mpls_without_ip(void **state)
{
	(void)state;
	struct frame f = {0};
	struct kd_view v;

	put_macs(&f);
	PUT(&f, 0x88, 0x47, 0x00, 0x3e, 0x81, 64);
	PUT(&f, 0, 0, 0, 0); /* pseudowire control word */
	put_ip4_tcp(&f);
	v = ether(&f);
	expect_reason(&v, KD_REASON_DECODE_NOT_IP);
	f.n = 18; /* nothing at all below the stack */
	v = ether(&f);
	expect_reason(&v, KD_REASON_DECODE_TRUNCATED_IP);
	f.n = 17;
	v = ether(&f);
	expect_reason(&v, KD_REASON_DECODE_TRUNCATED_LINK);
	v = run(&f, 17, 63, KD_LINK_ETHERNET);
	expect_reason(&v, KD_REASON_TRUNCATED_CAPTURE);
}

static void test_pppoe(void **state)
{
	(void)state;
	struct frame f = {0}, f6 = {0};
	struct kd_view v;

	put_macs(&f);
	put_pppoe(&f, 2 + 45, 0x0021);
	put_ip4_tcp(&f);
	put(&f, "PAD", 3);
	v = ether(&f);
	expect_hello(&v, 22, 42);
	assert_int_equal(v.pppoe_off, 18);

	f.b[14] = 0x21;
	v = ether(&f);
	expect_reason(&v, KD_REASON_DECODE_PPP);
	f.b[14] = 0x11;
	f.b[15] = 0xa7; /* a discovery code */
	v = ether(&f);
	expect_reason(&v, KD_REASON_DECODE_PPP);
	f.b[15] = 0;
	f.b[20] = 0xc0; /* LCP */
	v = ether(&f);
	expect_reason(&v, KD_REASON_DECODE_NOT_IP);

	put_macs(&f6);
	PUT(&f6, 0x81, 0, 0, 7);
	put_pppoe(&f6, 2 + 65, 0x0057);
	put_ip6_tcp(&f6);
	v = ether(&f6);
	expect_hello(&v, 26, 66);
	assert_int_equal(v.pppoe_off, 22);
}

static void test_pppoe_length_lies(void **state)
{
	(void)state;
	struct frame f = {0};
	struct kd_view v;

	put_macs(&f);
	put_pppoe(&f, 0, 0x0021);
	put_ip4_tcp(&f);
	for (unsigned int length = 0; length <= 0xffff; length++) {
		f.b[18] = (uint8_t)(length >> 8);
		f.b[19] = (uint8_t)length;
		v = ether(&f);
		if (length < 2 || length > 47)
			expect_reason(&v, KD_REASON_DECODE_PPP);
		else if (length < 2 + 20)
			expect_reason(&v, KD_REASON_DECODE_TRUNCATED_IP);
		else if (length < 2 + 45)
			expect_reason(&v, KD_REASON_DECODE_IP_LENGTH);
		else
			expect_hello(&v, 22, 42);
	}
}

static void test_other_links(void **state)
{
	(void)state;
	static const uint32_t v6_families[] = {10, 24, 28, 30};
	struct kd_view v;

	for (unsigned int six = 0; six <= 1; six++) {
		struct frame raw = {0}, sll = {0}, sll2 = {0};
		size_t ip = six ? 40 : 20;

		(six ? put_ip6_tcp : put_ip4_tcp)(&raw);
		v = run(&raw, raw.n, raw.n, KD_LINK_RAW);
		expect_hello(&v, 0, ip);
		PUT(&sll, 0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 2, 0, 0, six ? 0x86 : 8, six ? 0xdd : 0);
		(six ? put_ip6_tcp : put_ip4_tcp)(&sll);
		v = run(&sll, sll.n, sll.n, KD_LINK_SLL);
		expect_hello(&v, 16, 16 + ip);
		PUT(&sll2, six ? 0x86 : 8, six ? 0xdd : 0, 0, 0, 0, 0, 0, 2, 0, 1, 0, 6, 2, 0, 0, 0, 0, 2, 0,
			0);
		(six ? put_ip6_tcp : put_ip4_tcp)(&sll2);
		v = run(&sll2, sll2.n, sll2.n, KD_LINK_SLL2);
		expect_hello(&v, 20, 20 + ip);
	}
	for (unsigned int i = 0; i < 4; i++) {
		struct frame le = {0}, be = {0};

		PUT(&le, (uint8_t)v6_families[i], 0, 0, 0);
		put_ip6_tcp(&le);
		v = run(&le, le.n, le.n, KD_LINK_NULL);
		expect_hello(&v, 4, 44);
		PUT(&be, 0, 0, 0, (uint8_t)v6_families[i]);
		put_ip6_tcp(&be);
		v = run(&be, be.n, be.n, KD_LINK_NULL);
		expect_hello(&v, 4, 44);
	}
	for (unsigned int i = 0; i < 2; i++) {
		struct frame f = {0};

		PUT(&f, i ? 2 : 0, 0, 0, i ? 0 : 2);
		put_ip4_tcp(&f);
		v = run(&f, f.n, f.n, KD_LINK_NULL);
		expect_hello(&v, 4, 24);
		f.b[i ? 0 : 3] = 7;
		v = run(&f, f.n, f.n, KD_LINK_NULL);
		expect_reason(&v, KD_REASON_DECODE_NOT_IP);
	}
}

static void test_links_without_ip(void **state)
{
	(void)state;
	struct frame f = {0}, raw = {0};
	struct kd_view v;

	put_macs(&f);
	PUT(&f, 8, 6);
	put_ip4_tcp(&f);
	v = ether(&f);
	expect_reason(&v, KD_REASON_DECODE_NOT_IP);
	f.b[12] = 0; /* 802.3 with LLC, SNAP and IP inside */
	f.b[13] = 53;
	memcpy(f.b + 14, "\xaa\xaa\x03\0\0\0\x08\0", 8);
	v = ether(&f);
	expect_reason(&v, KD_REASON_DECODE_NOT_IP);
	v = run(&f, f.n, f.n, KD_LINK_COUNT);
	expect_reason(&v, KD_REASON_DECODE_NOT_IP);
	assert_int_equal(v.ip_version, 0);
	PUT(&raw, 0x50, 0, 0, 0);
	v = run(&raw, raw.n, raw.n, KD_LINK_RAW);
	expect_reason(&v, KD_REASON_DECODE_BAD_IP);
	v = run(&raw, 0, 0, KD_LINK_RAW);
	expect_reason(&v, KD_REASON_DECODE_TRUNCATED_IP);
	v = run(&raw, 0, 40, KD_LINK_RAW);
	expect_reason(&v, KD_REASON_TRUNCATED_CAPTURE);
}

static void test_bad_ip(void **state)
{
	(void)state;
	struct frame f = {0};
	struct kd_view v;

	put_macs(&f);
	PUT(&f, 8, 0);
	put_ip4_tcp(&f);
	for (unsigned int first = 0; first <= 0xff; first++) {
		f.b[14] = (uint8_t)first;
		v = ether(&f);
		if (first >> 4 != 4 || (first & 0xf) < 5) {
			expect_reason(&v, KD_REASON_DECODE_BAD_IP);
			assert_int_equal(v.ip_version, 0);
		} else if ((first & 0xf) > 11) {
			/* 48 and more bytes of header in 45 of packet */
			expect_reason(&v, KD_REASON_DECODE_TRUNCATED_IP);
			assert_int_equal(v.ip_version, 4);
		} else if ((first & 0xf) > 6) {
			/* 28..44 bytes of header leave less than a TCP header */
			expect_reason(&v, KD_REASON_DECODE_TRUNCATED_TCP);
		}
	}
}

static void test_ip_length_lies(void **state)
{
	(void)state;
	struct frame f = {0}, f6 = {0};
	struct kd_view v;

	put_macs(&f);
	PUT(&f, 8, 0);
	put_ip4_tcp(&f);
	for (unsigned int total = 0; total <= 0xffff; total++) {
		f.b[16] = (uint8_t)(total >> 8);
		f.b[17] = (uint8_t)total;
		v = ether(&f);
		assert_int_equal(v.ip_version, 4);
		assert_int_equal(v.ip_proto, 6);
		if (total == 0 || total == 45) /* 0: a super-frame, the frame's length counts */
			expect_hello(&v, 14, 34);
		else if (total < 20 || total > 45)
			expect_reason(&v, KD_REASON_DECODE_IP_LENGTH);
		else if (total < 40)
			expect_reason(&v, KD_REASON_DECODE_TRUNCATED_TCP);
		else
			assert_int_equal(v.payload_len, total - 40);
	}
	put_macs(&f6);
	PUT(&f6, 0x86, 0xdd);
	put_ip6_tcp(&f6);
	for (unsigned int length = 0; length <= 0xffff; length++) {
		f6.b[18] = (uint8_t)(length >> 8);
		f6.b[19] = (uint8_t)length;
		v = ether(&f6);
		assert_int_equal(v.ip_version, 6);
		if (length > 25)
			expect_reason(&v, KD_REASON_DECODE_IP_LENGTH);
		else if (length < 20)
			expect_reason(&v, KD_REASON_DECODE_TRUNCATED_TCP);
		else
			assert_int_equal(v.payload_len, length - 20);
	}
}

static void test_tcp_offset_lies(void **state)
{
	(void)state;
	struct frame f = {0};
	struct kd_view v;

	put_macs(&f);
	PUT(&f, 8, 0);
	put_ip4_tcp(&f);
	for (unsigned int words = 0; words <= 15; words++) {
		f.b[34 + 12] = (uint8_t)(words << 4);
		v = ether(&f);
		assert_int_equal(v.dport, 443);
		if (words == 5)
			expect_hello(&v, 14, 34);
		else if (words == 6)
			assert_int_equal(v.payload_len, 1);
		else
			expect_reason(&v, KD_REASON_DECODE_TCP_OFFSET);
	}
}

static void test_udp(void **state)
{
	(void)state;
	struct frame f = {0};
	struct kd_view v;

	put_macs(&f);
	PUT(&f, 8, 0);
	put_ip4(&f, 17, 20 + 8 + 6);
	PUT(&f, 0xc0, 0x00, 0, 53, 0, 0, 0, 0);
	put(&f, "answer", 6);
	for (unsigned int length = 0; length <= 0xffff; length++) {
		f.b[38] = (uint8_t)(length >> 8);
		f.b[39] = (uint8_t)length;
		v = ether(&f);
		assert_int_equal(v.sport, 0xc000);
		assert_int_equal(v.dport, 53);
		if (length < 8 || length > 14) {
			expect_reason(&v, KD_REASON_DECODE_UDP_LENGTH);
			continue;
		}
		assert_int_equal(v.reason, 0);
		assert_int_equal(v.payload_off, 42);
		assert_int_equal(v.payload_len, length - 8); /* what UDP leaves over is no payload */
		assert_int_equal(v.ip_end, 48);
	}
	f.b[17] = 27;
	v = ether(&f);
	expect_reason(&v, KD_REASON_DECODE_TRUNCATED_UDP);
}

static void test_icmp_and_others(void **state)
{
	(void)state;
	struct frame f = {0}, f6 = {0};
	struct kd_view v;

	put_macs(&f);
	PUT(&f, 8, 0);
	put_ip4(&f, 1, 20 + 8 + 4);
	PUT(&f, 8, 0, 0, 0, 0, 1, 0, 1);
	put(&f, "ping", 4);
	v = ether(&f);
	assert_int_equal(v.reason, 0);
	assert_int_equal(v.payload_off, 42);
	assert_int_equal(v.payload_len, 4);
	assert_int_equal(v.sport + v.dport, 0);
	f.b[17] = 27;
	v = ether(&f);
	expect_reason(&v, KD_REASON_DECODE_TRUNCATED_ICMP);
	f.b[23] = 47; /* GRE: everything behind IP */
	v = ether(&f);
	assert_int_equal(v.reason, 0);
	assert_int_equal(v.payload_off, 34);
	assert_int_equal(v.payload_len, 7);

	put_macs(&f6);
	PUT(&f6, 0x86, 0xdd);
	put_ip6(&f6, 58, 8);
	PUT(&f6, 128, 0, 0, 0, 0, 1, 0, 1);
	v = ether(&f6);
	assert_int_equal(v.reason, 0);
	assert_int_equal(v.payload_off, 62);
	assert_int_equal(v.payload_len, 0);
	f6.b[19] = 7;
	v = ether(&f6);
	expect_reason(&v, KD_REASON_DECODE_TRUNCATED_ICMP);
}

/* A snaplen takes nothing but bytes away: headers that are there say the same, payload_wire_len stays. */
static void test_every_snaplen(void **state)
{
	(void)state;
	struct frame f[3] = {0};
	static const size_t headers[] = {54, 30 + 40 + 8 + 20, 14 + 20 + 8};

	put_macs(&f[0]);
	PUT(&f[0], 8, 0);
	put_ip4_tcp(&f[0]);
	put_deep(&f[1]);
	put_macs(&f[2]);
	PUT(&f[2], 8, 0);
	put_ip4(&f[2], 17, 33);
	PUT(&f[2], 0, 1, 0, 2, 0, 13, 0, 0);
	put(&f[2], "hello", 5);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(f[i].n, headers[i] + 5);
		for (size_t len = 0; len <= f[i].n; len++) {
			struct kd_view v = run(&f[i], len, f[i].n, KD_LINK_ETHERNET);

			if (len < headers[i]) {
				expect_reason(&v, KD_REASON_TRUNCATED_CAPTURE);
				continue;
			}
			assert_int_equal(v.reason, 0);
			assert_int_equal(v.payload_off, headers[i]);
			assert_int_equal(v.payload_len, len - headers[i]);
			assert_int_equal(v.payload_wire_len, 5);
			assert_int_equal(v.ip_end, len);
		}
	}
}

/* A frame whose own bytes end early is never whole, and the reason says where. */
static void test_every_short_frame(void **state)
{
	(void)state;
	struct frame f = {0}, deep = {0};

	put_macs(&f);
	PUT(&f, 8, 0);
	put_ip4_tcp(&f);
	for (size_t len = 0; len < f.n; len++) {
		struct kd_view v = run(&f, len, len, KD_LINK_ETHERNET);

		expect_reason(&v, len < 14   ? KD_REASON_DECODE_TRUNCATED_LINK
				  : len < 34 ? KD_REASON_DECODE_TRUNCATED_IP
					     : KD_REASON_DECODE_IP_LENGTH);
	}
	put_deep(&deep);
	for (size_t len = 0; len < deep.n; len++) {
		struct kd_view v = run(&deep, len, len, KD_LINK_ETHERNET);

		expect_reason(&v, len < 28 ? KD_REASON_DECODE_TRUNCATED_LINK : KD_REASON_DECODE_PPP);
	}
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
		cmocka_unit_test(test_ipv4_tcp),
		cmocka_unit_test(test_padding_is_no_payload),
		cmocka_unit_test(test_ipv4_options),
		cmocka_unit_test(test_ipv6_tcp),
		cmocka_unit_test(test_ipv6_extension_headers),
		cmocka_unit_test(test_ipv6_extension_headers_limit),
		cmocka_unit_test(test_ipv6_no_next_header),
		cmocka_unit_test(test_fragments),
		cmocka_unit_test(test_vlan_tags),
		cmocka_unit_test(test_mpls),
		cmocka_unit_test(test_mpls_without_ip),
		cmocka_unit_test(test_pppoe),
		cmocka_unit_test(test_pppoe_length_lies),
		cmocka_unit_test(test_other_links),
		cmocka_unit_test(test_links_without_ip),
		cmocka_unit_test(test_bad_ip),
		cmocka_unit_test(test_ip_length_lies),
		cmocka_unit_test(test_tcp_offset_lies),
		cmocka_unit_test(test_udp),
		cmocka_unit_test(test_icmp_and_others),
		cmocka_unit_test(test_every_snaplen),
		cmocka_unit_test(test_every_short_frame),
	};

	return cmocka_run_group_tests_name("decode", tests, NULL, drop_copy);
}

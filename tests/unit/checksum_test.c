/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Checksums worked out by hand, and a capture taken at sending hosts: data/offload.pcap comes from two
 * network namespaces joined by a veth pair (Linux 6.18, tcpdump). Connections to port 8000 and datagrams to
 * 5353 were sent with the default offloads, over veth (IPv4, IPv6) and loopback; those to 8001 and 5354 after
 * `ethtool -K DEV tx off`.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/capture.h"
#include "engine/checksum.h"
#include "engine/cursor.h"
#include "engine/engine.h"

#ifndef KD_TEST_DATA
#define KD_TEST_DATA "tests/unit/data"
#endif

/* Judges an exact-size copy of a packet that begins with its IP header, cut to len. */
static struct kd_sums judge_cut(const uint8_t *packet, size_t len, size_t wire_len)
{
	uint8_t *copy = malloc(len);
	struct kd_sums s;
	struct kd_view v;

	assert_non_null(copy);
	memcpy(copy, packet, len);
	kd_decode(&v, copy, len, wire_len, KD_LINK_RAW);
	kd_sums_judge(&s, copy, &v);
	free(copy);
	return s;
}

static void expect(const uint8_t *packet, size_t len, enum kd_sum_state ip, enum kd_sum_state transport)
{
	struct kd_sums s = judge_cut(packet, len, len);

	assert_int_equal(s.ip, ip);
	assert_int_equal(s.transport, transport);
	assert_false(s.super_frame);
}

/*
 * 192.168.0.1:4660 -> 192.168.0.199:53, one byte. IP header: 4500 + 001d + 4011 + c0a8 + 0001 + c0a8 + 00c7 =
 * 20746, folded 0748, inverted f8b7. Pseudo-header: c0a8 + 0001 + c0a8 + 00c7 + 0011 + 0009 = 18232, folded
 * 8233. UDP: 1234 + 0035 + 0009 + 6100 = 7372; with the pseudo-header f5a5, inverted 0a5a.
 */
static const uint8_t udp4[29] = {0x45, 0, 0, 29, 0, 0, 0, 0, 64, 17, 0xf8, 0xb7, 192, 168, 0, 1, 192, 168, 0,
	199, 0x12, 0x34, 0, 53, 0, 9, 0x0a, 0x5a, 'a'};

static void ip4_header(void **state)
{
	uint8_t p[sizeof(udp4) + 4];

	(void)state;
	expect(udp4, sizeof(udp4), KD_SUM_GOOD, KD_SUM_GOOD);
	memcpy(p, udp4, sizeof(udp4));
	p[10] ^= 1;
	expect(p, sizeof(udp4), KD_SUM_BAD, KD_SUM_GOOD);
	kd_put16(p + 10, 0);
	expect(p, sizeof(udp4), KD_SUM_PARTIAL, KD_SUM_GOOD);
	kd_put16(p + 4,
		0xf8b7); /* an identification that makes 0000 right: 20746 - 0 + f8b7 = 2fffd, folded ffff */
	expect(p, sizeof(udp4), KD_SUM_GOOD, KD_SUM_GOOD);
	/* One word of options, no-operations: 4600 - 4500 + 0021 - 001d + 0101 + 0101 = 0306 more: 0748 +
	 * 0306 = 0a4e. */
	memcpy(p, udp4, 20);
	memset(p + 20, 1, 4);
	memcpy(p + 24, udp4 + 20, 9);
	p[0] = 0x46;
	p[3] = 33;
	kd_put16(p + 10, 0xf5b1);
	expect(p, sizeof(p), KD_SUM_GOOD, KD_SUM_GOOD);
	p[23] = 0; /* the sum covers the options */
	expect(p, sizeof(p), KD_SUM_BAD, KD_SUM_GOOD);
}

static void udp_over_ip4(void **state)
{
	uint8_t p[sizeof(udp4) + 18];

	(void)state;
	memcpy(p, udp4, sizeof(udp4));
	p[28] = 'b';
	expect(p, sizeof(udp4), KD_SUM_GOOD, KD_SUM_BAD);
	p[28] = 'a';
	kd_put16(p + 26, 0);
	expect(p, sizeof(udp4), KD_SUM_GOOD, KD_SUM_ABSENT);
	kd_put16(p + 26, 0x8233);
	expect(p, sizeof(udp4), KD_SUM_GOOD, KD_SUM_PARTIAL);
	kd_put16(p + 26, 0x7dcc); /* that inverted: no one leaves it */
	expect(p, sizeof(udp4), KD_SUM_GOOD, KD_SUM_BAD);
	/* Bytes behind the datagram are padding and do not count, whatever they are. */
	kd_put16(p + 26, 0x0a5a);
	memset(p + sizeof(udp4), 0xee, 18);
	expect(p, sizeof(p), KD_SUM_GOOD, KD_SUM_GOOD);
	/* A sum that is 0 is sent as ffff: 0a5a more in the payload, 6100 + 0a5a = 6b5a over two bytes, and
	 * in the lengths 001e, 000a, which add 1 to the UDP length and 1 to the pseudo-header's: 6b58. */
	p[3] = 30;
	kd_put16(p + 10, 0xf8b6);
	p[25] = 10;
	kd_put16(p + 26, 0xffff);
	kd_put16(p + 28, 0x6b58);
	expect(p, 30, KD_SUM_GOOD, KD_SUM_GOOD);
}

/* The UDP length counts, not the IP one: surplus bytes between the two are not summed. */
static void udp_surplus(void **state)
{
	uint8_t p[sizeof(udp4) + 3];

	(void)state;
	memcpy(p, udp4, sizeof(udp4));
	memset(p + sizeof(udp4), 0xee, 3);
	p[3] = 32;
	kd_put16(p + 10, 0xf8b4);
	expect(p, sizeof(p), KD_SUM_GOOD, KD_SUM_GOOD);
}

static void cut_by_the_capture(void **state)
{
	static const uint8_t protocols[] = {KD_PROTO_ICMP, KD_PROTO_TCP, KD_PROTO_ICMP6, KD_PROTO_UDP};
	uint8_t zero[sizeof(udp4)];
	uint8_t ip4[60] = {0x45, 0, 0, 60, [8] = 64, [32] = 0x50};
	uint8_t ip6[80] = {0x60, 0, 0, 0, 0, 40, [7] = 64, [45] = 40, [52] = 0x50};
	struct kd_sums s;

	(void)state;
	s = judge_cut(udp4, 28, 29);
	assert_int_equal(s.ip, KD_SUM_GOOD);
	assert_int_equal(s.transport, KD_SUM_UNKNOWN);
	s = judge_cut(udp4, 24, 29);
	assert_int_equal(s.transport, KD_SUM_UNKNOWN);
	memcpy(zero, udp4, sizeof(udp4));
	kd_put16(zero + 26, 0);
	s = judge_cut(zero, 28, 29); /* absent all the same */
	assert_int_equal(s.transport, KD_SUM_ABSENT);
	s = judge_cut(udp4, 0, 29);
	assert_int_equal(s.transport, KD_SUM_ABSENT);
	/* Not one byte may lack. ICMP is no transport of IPv6, nor ICMPv6 of IPv4. */
	ip4[25] = 40;
	ip4[27] = ip6[47] = 1;
	for (size_t i = 0; i < sizeof(protocols); i++) {
		ip4[9] = ip6[6] = protocols[i];
		s = judge_cut(ip4, sizeof(ip4) - 1, sizeof(ip4));
		assert_int_equal(
			s.transport, protocols[i] == KD_PROTO_ICMP6 ? KD_SUM_ABSENT : KD_SUM_UNKNOWN);
		s = judge_cut(ip6, sizeof(ip6) - 1, sizeof(ip6));
		assert_int_equal(s.transport, protocols[i] == KD_PROTO_ICMP ? KD_SUM_ABSENT : KD_SUM_UNKNOWN);
	}
}

/* Type 8, identifier and sequence 1: 0800 + 0001 + 0001 = 0802, inverted f7fd. No pseudo-header. */
static void icmp(void **state)
{
	/* IP: 4500 + 001c + 4001 + 7f00 + 0001 + 7f00 + 0001 = 1831f, folded 8320, inverted 7cdf. */
	uint8_t p[28] = {0x45, 0, 0, 28, 0, 0, 0, 0, 64, 1, 0x7c, 0xdf, 127, 0, 0, 1, 127, 0, 0, 1, 8, 0,
		0xf7, 0xfd, 0, 1, 0, 1};

	(void)state;
	expect(p, sizeof(p), KD_SUM_GOOD, KD_SUM_GOOD);
	p[27] = 2;
	expect(p, sizeof(p), KD_SUM_GOOD, KD_SUM_BAD);
}

/*
 * 2001:db8::1 -> 2001:db8::2, echo request, identifier and sequence 1. Pseudo-header: 2001 + 0db8 + 0001 +
 * 2001 + 0db8 + 0002 + 0008 + 003a = 5bb7; ICMPv6: 8000 + 0001 + 0001 = 8002; together dbb9, inverted 2446.
 */
static const uint8_t echo6[48] = {0x60, 0, 0, 0, 0, 8, 58, 64, 0x20, 0x01, 0x0d, 0xb8, [23] = 1, 0x20, 0x01,
	0x0d, 0xb8, [39] = 2, 128, 0, 0x24, 0x46, 0, 1, 0, 1};

static void icmp6(void **state)
{
	uint8_t p[sizeof(echo6)];

	(void)state;
	expect(echo6, sizeof(echo6), KD_SUM_GOOD, KD_SUM_GOOD);
	memcpy(p, echo6, sizeof(p));
	p[39] = 3; /* another destination */
	expect(p, sizeof(p), KD_SUM_GOOD, KD_SUM_BAD);
	p[39] = 2;
	kd_put16(p + 42, 0x5bb7);
	expect(p, sizeof(p), KD_SUM_GOOD, KD_SUM_PARTIAL);
}

/*
 * The length and the next header of the pseudo-header are the transport's, not those of the IPv6 header:
 * behind a hop-by-hop header (PadN), a fragment header of something not fragmented, an authentication header
 * of 24 bytes.
 */
static void icmp6_behind_headers(void **state)
{
	static const struct {
		uint8_t type, len, head[4];
	} row[] = {
		{0, 8, {58, 0, 1, 4}},
		{44, 8, {58, 0, 0, 0}},
		{51, 24, {58, 4, 0, 0}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		uint8_t p[sizeof(echo6) + 24] = {0};

		memcpy(p, echo6, 40);
		memcpy(p + 40, row[i].head, 4);
		memcpy(p + 40 + row[i].len, echo6 + 40, 8);
		p[5] = 8 + row[i].len;
		p[6] = row[i].type;
		expect(p, sizeof(echo6) + row[i].len, KD_SUM_GOOD, KD_SUM_GOOD);
		p[40 + row[i].len + 7] ^= 1;
		expect(p, sizeof(echo6) + row[i].len, KD_SUM_GOOD, KD_SUM_BAD);
	}
}

static void icmp6_behind_route(void **state)
{
	uint8_t p[sizeof(echo6) + 24] = {0};

	(void)state;
	memcpy(p, echo6, 40);
	memcpy(p + 64, echo6 + 40, 8);
	p[5] = 32;
	p[6] = 43; /* routing: 24 bytes, type 2, one station left */
	p[40] = 58;
	p[41] = 2;
	p[42] = 2;
	p[43] = 1;
	expect(p, sizeof(p), KD_SUM_GOOD, KD_SUM_ABSENT); /* decode stops there: the sum is for another end */
	p[43] = 0; /* it has arrived: the destination is the final one */
	expect(p, sizeof(p), KD_SUM_GOOD, KD_SUM_GOOD);
}

/* UDP over IPv6 must have a checksum (RFC 8200, 8.1). */
static void udp_over_ip6(void **state)
{
	/* Pseudo-header: 5b75 + 0009 + 0011 = 5b8f; UDP 7372 as above; together cf01, inverted 30fe. */
	uint8_t p[49] = {0x60, 0, 0, 0, 0, 9, 17, 64, 0x20, 0x01, 0x0d, 0xb8, [23] = 1, 0x20, 0x01, 0x0d,
		0xb8, [39] = 2, 0x12, 0x34, 0, 53, 0, 9, 0x30, 0xfe, 'a'};

	(void)state;
	assert_int_equal(p[48], 'a');
	expect(p, sizeof(p), KD_SUM_GOOD, KD_SUM_GOOD);
	kd_put16(p + 46, 0x5b8f);
	expect(p, sizeof(p), KD_SUM_GOOD, KD_SUM_PARTIAL);
	kd_put16(p + 46, 0);
	expect(p, sizeof(p), KD_SUM_GOOD, KD_SUM_BAD);
}

static void nothing_to_judge(void **state)
{
	static const uint8_t other[] = {0x20, 1, 2, 3};
	uint8_t p[sizeof(udp4)];

	(void)state;
	expect(other, sizeof(other), KD_SUM_ABSENT, KD_SUM_ABSENT);
	memcpy(p, udp4, sizeof(p));
	p[6] = 0x20; /* first fragment */
	kd_put16(p + 10, 0xd8b7);
	expect(p, sizeof(p), KD_SUM_GOOD, KD_SUM_ABSENT);
	memcpy(p, udp4, sizeof(p));
	p[9] = 47; /* GRE */
	kd_put16(p + 10, 0xf899);
	expect(p, sizeof(p), KD_SUM_GOOD, KD_SUM_ABSENT);
}

/*
 * 10.0.0.1 -> 10.0.0.2 in one frame of `total` bytes, all payload zero; total length as given. Pseudo-header
 * without the length: 0a00 + 0001 + 0a00 + 0002 + 0006 = 1409.
 */
static struct kd_sums super_frame(size_t total, uint16_t total_field, uint16_t sum)
{
	uint8_t *p = calloc(1, total);
	struct kd_sums s;

	p[0] = 0x45;
	kd_put16(p + 2, total_field);
	p[8] = 64;
	p[9] = KD_PROTO_TCP;
	memcpy(p + 12, "\x0a\0\0\x01\x0a\0\0\x02", 8);
	p[32] = 0x50; /* header of 20 bytes */
	kd_put16(p + 36, sum);
	s = judge_cut(p, total, total);
	free(p);
	return s;
}

static void super_frames(void **state)
{
	struct kd_sums s = super_frame(3020, 3020, 0x1409 + 3000);

	(void)state;
	assert_true(s.super_frame);
	assert_int_equal(s.transport, KD_SUM_PARTIAL);
	s = super_frame(3020, 3020, 0x1409); /* as Windows and the BSDs leave it */
	assert_true(s.super_frame);
	assert_int_equal(s.transport, KD_SUM_PARTIAL);
	s = super_frame(1500, 1500, 0x1409);
	assert_false(s.super_frame);
	assert_int_equal(s.transport, KD_SUM_BAD);
	s = super_frame(1500, 1500, 0x1409 + 1480);
	assert_int_equal(s.transport, KD_SUM_PARTIAL);
	assert_false(super_frame(1600, 1600, 0).super_frame);
	assert_true(super_frame(1601, 1601, 0).super_frame);
	/* Larger than the field can say: 100000 - 20 bytes = 1868c, so 1409 + 0001 + 868c = 9a96. */
	s = super_frame(100000, 0, 0x9a96);
	assert_true(s.super_frame);
	assert_int_equal(s.transport, KD_SUM_PARTIAL);
	/* The same complete: 9a96 + 5000 (the header's length) = ea96, inverted 1569. */
	assert_int_equal(super_frame(100000, 0, 0x1569).transport, KD_SUM_GOOD);
}

static void as_captured(void **state)
{
	unsigned int offloaded[2] = {0}, complete[2] = {0}, super = 0;
	struct kd_capture_error err;
	struct kd_capture *c = NULL;
	struct kd_captured pkt;

	(void)state;
	assert_int_equal(kd_capture_open(&c, KD_TEST_DATA "/offload.pcap", &err), 0);
	while (kd_capture_next(c, &pkt, &err) == 1) {
		struct kd_sums s;
		struct kd_view v;
		bool tcp, off;

		kd_decode(&v, pkt.data, pkt.len, pkt.wire_len, KD_LINK_ETHERNET);
		assert_int_equal(v.reason, 0);
		kd_sums_judge(&s, pkt.data, &v);
		tcp = v.ip_proto == KD_PROTO_TCP;
		off = v.sport == 8001 || v.dport == 8001 || v.dport == 5354;
		assert_int_equal(s.ip, KD_SUM_GOOD);
		assert_int_equal(s.transport, off ? KD_SUM_GOOD : KD_SUM_PARTIAL);
		(off ? complete : offloaded)[tcp]++;
		super += s.super_frame;
	}
	kd_capture_close(c);
	/* 12 + 12 + 13 segments and 3 datagrams with, 16 + 12 segments and 2 datagrams without; 3000 bytes in
	 * one. */
	assert_int_equal(offloaded[1], 37);
	assert_int_equal(offloaded[0], 3);
	assert_int_equal(complete[1], 28);
	assert_int_equal(complete[0], 2);
	assert_int_equal(super, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ip4_header),
		cmocka_unit_test(udp_over_ip4),
		cmocka_unit_test(udp_surplus),
		cmocka_unit_test(cut_by_the_capture),
		cmocka_unit_test(icmp),
		cmocka_unit_test(icmp6),
		cmocka_unit_test(icmp6_behind_headers),
		cmocka_unit_test(icmp6_behind_route),
		cmocka_unit_test(udp_over_ip6),
		cmocka_unit_test(nothing_to_judge),
		cmocka_unit_test(super_frames),
		cmocka_unit_test(as_captured),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

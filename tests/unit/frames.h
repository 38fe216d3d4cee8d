/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames for tests, put together by hand from layouts of RFC 791, 8200, 9293 and 2516. Lengths are what the
 * caller says, never computed, and checksums stay zero: a test that wants a lie writes it. Needs cmocka.h
 * before it.
 */
#ifndef KD_TEST_FRAMES_H
#define KD_TEST_FRAMES_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engine/decode.h"

struct frame {
	uint8_t b[20000];
	size_t n;
};

static inline void put(struct frame *f, const void *bytes, size_t n)
{
	assert_true(f->n + n <= sizeof(f->b));
	memcpy(f->b + f->n, bytes, n);
	f->n += n;
}

#define PUT(f, ...) put(f, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static inline void put_macs(struct frame *f)
{
	PUT(f, 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2);
}

/* 20 bytes, 198.18.0.2 -> 203.0.113.10, TTL 63, don't fragment */
static inline void put_ip4(struct frame *f, uint8_t proto, uint16_t total)
{
	PUT(f, 0x45, 0, (uint8_t)(total >> 8), (uint8_t)total, 0x12, 0x34, 0x40, 0, 63, proto, 0, 0, 198, 18,
		0, 2, 203, 0, 113, 10);
}

/* 40 bytes, 2001:db8::2 -> 2001:db8:1::10, hop limit 61 */
static inline void put_ip6(struct frame *f, uint8_t next, uint16_t length)
{
	PUT(f, 0x60, 0, 0, 0, (uint8_t)(length >> 8), (uint8_t)length, next, 61);
	PUT(f, 0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2);
	PUT(f, 0x20, 1, 0x0d, 0xb8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10);
}

/* 20 bytes: 40120 -> 443, seq 0x01020304, ack 0xa0b0c0d0, PSH ACK */
static inline void put_tcp(struct frame *f)
{
	PUT(f, 0x9c, 0xb8, 0x01, 0xbb, 1, 2, 3, 4, 0xa0, 0xb0, 0xc0, 0xd0, 0x50, 0x18, 0xff, 0xff, 0, 0, 0,
		0);
}

/* 5 bytes of payload behind 40 of headers: total length 45 */
static inline void put_ip4_tcp(struct frame *f)
{
	put_ip4(f, 6, 45);
	put_tcp(f);
	put(f, "hello", 5);
}

static inline void put_ip6_tcp(struct frame *f)
{
	put_ip6(f, 6, 25);
	put_tcp(f);
	put(f, "hello", 5);
}

/* 8 bytes of PPPoE and PPP header */
static inline void put_pppoe(struct frame *f, uint16_t length, uint16_t protocol)
{
	PUT(f, 0x88, 0x64, 0x11, 0, 0, 1, (uint8_t)(length >> 8), (uint8_t)length, (uint8_t)(protocol >> 8),
		(uint8_t)protocol);
}

/* The deepest nesting in use: QinQ, then PPPoE, IPv6 with an extension header, TCP. */
static inline void put_deep(struct frame *f)
{
	put_macs(f);
	PUT(f, 0x88, 0xa8, 0, 1, 0x81, 0, 0, 2);
	put_pppoe(f, 2 + 40 + 8 + 25, 0x0057);
	put_ip6(f, 0, 8 + 25);
	PUT(f, 6, 0, 1, 4, 0, 0, 0, 0);
	put_tcp(f);
	put(f, "hello", 5);
}

static uint8_t *copy; /* the frame that the last view points into */

/* The decoder over an exact-size copy of the first len bytes; what it owes for any frame is asserted here. */
static inline struct kd_view run(const struct frame *f, size_t len, size_t wire_len, unsigned int link)
{
	struct kd_view v;

	free(copy);
	copy = malloc(len);
	assert_true(copy != NULL || len == 0);
	if (len > 0)
		memcpy(copy, f->b, len);
	kd_decode(&v, copy, len, wire_len, link);
	if (v.ip_version != 0) {
		size_t addr = v.ip_version == 4 ? 4 : 16;

		assert_true(v.src >= copy + v.l3_off && v.src + addr <= copy + len);
		assert_true(v.dst >= copy + v.l3_off && v.dst + addr <= copy + len);
		assert_true(v.ip_end <= len);
	}
	if (v.reason == 0) {
		assert_true(v.l3_off < v.l4_off && v.l4_off <= v.payload_off);
		assert_true(v.payload_off + v.payload_len <= v.ip_end);
		assert_true(v.payload_len <= v.payload_wire_len);
	} else {
		assert_int_equal(v.payload_len, 0);
	}
	return v;
}

#endif

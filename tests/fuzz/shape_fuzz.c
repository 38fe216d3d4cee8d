/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Segments of one flow, as the input cuts them: a byte each for flags and side, for the place and for the
 * length, then the bytes. What is gathered from them is changed in every way and the segments are applied:
 * every packet that comes out is whole, with right sums, and the hello comes out in one piece.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engine/checksum.h"
#include "drivers/shape.h"
#include "engine/cursor.h"
#include "engine/engine.h"

#define SEGMENTS 32
#define HEAD 40
#define ISN 0xfffffff0u /* the flow crosses 2^32 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct segment {
	uint8_t bytes[HEAD + 256];
	struct kd_captured c;
};

static struct segment segments[SEGMENTS];

static void must(bool holds)
{
	if (!holds)
		abort();
}

static uint16_t sum(uint32_t sum, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		sum += i % 2 == 0 ? (uint32_t)p[i] << 8 : p[i];
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void build(struct segment *s, const uint8_t *w, const uint8_t *payload, size_t len)
{
	bool back = (w[0] & 1) != 0;
	uint8_t *ip = s->bytes, *tcp = ip + 20;
	size_t tcp_len = 20 + len;
	uint32_t pseudo = 0;

	memset(s, 0, sizeof(*s));
	ip[0] = 0x45;
	kd_put16(ip + 2, (uint16_t)(20 + tcp_len));
	ip[8] = 64;
	ip[9] = 6;
	ip[12 + 3] = back ? 2 : 1;
	ip[16 + 3] = back ? 1 : 2;
	kd_put16(ip + 10, sum(0, ip, 20));
	tcp[1] = back ? 2 : 1;
	tcp[3] = back ? 1 : 2;
	kd_put32(tcp + 4, back ? 1 : ISN + 1 + w[1]);
	kd_put32(tcp + 8, back ? ISN + 1 + w[1] : 1);
	tcp[12] = 5 << 4;
	tcp[13] = (w[0] & 2) != 0 ? w[0] >> 2 : KD_TCP_ACK;
	memcpy(tcp + 20, payload, len);
	for (int i = 12; i < 20; i += 2)
		pseudo += kd_get16(ip + i);
	kd_put16(tcp + 16, sum(pseudo + 6 + (uint32_t)tcp_len, tcp, tcp_len));
	s->c = (struct kd_captured){.data = s->bytes, .len = (uint32_t)(20 + tcp_len), .dlt = 101};
	s->c.wire_len = s->c.len;
}

static unsigned int read_input(const uint8_t *data, size_t size)
{
	struct kd_cur c = kd_cur(data, size);
	unsigned int n = 0;

	while (n < SEGMENTS && kd_cur_left(&c) >= 3) {
		const uint8_t *w = kd_cur_take(&c, 3);
		size_t len = w[2] < kd_cur_left(&c) ? w[2] : kd_cur_left(&c);

		build(&segments[n++], w, kd_cur_take(&c, len), len);
	}
	return n;
}

/* Returns how much payload came out without a hole. */
static size_t check(const struct kd_captured *out, unsigned int n)
{
	uint32_t begin = 0, next = 0;

	must(n <= KD_SHAPE_PIECES);
	for (unsigned int i = 0; i < n; i++) {
		struct kd_sums sums;
		struct kd_view v;

		kd_decode(&v, out[i].data, out[i].len, out[i].wire_len, KD_LINK_RAW);
		if (v.fragment)
			continue;
		kd_sums_judge(&sums, out[i].data, &v);
		must(sums.ip == KD_SUM_GOOD && (v.reason != 0 || sums.transport == KD_SUM_GOOD));
		if (begin == next)
			begin = next = v.seq;
		if (v.seq == next)
			next += v.payload_len;
	}
	return next - begin;
}

static void apply_all(struct kd_shape *s, unsigned int n, unsigned int kind)
{
	struct kd_captured out[KD_SHAPE_PIECES];
	bool whole = false;

	if (kd_shape_choose(s, kind) < 0)
		return;
	for (unsigned int i = 0; i < n; i++) {
		bool before = kd_shape_done(s);
		unsigned int got = kd_shape_apply(s, &segments[i].c, i + 1, KD_LINK_RAW, out);
		size_t there = check(out, got);

		if (!before && kd_shape_done(s))
			whole = kind == KD_SHAPE_FRAGMENTS || there > 8;
	}
	must(whole || !kd_shape_done(s));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct kd_shape_flow flow = {.tuple = {.addr = {{0, 0, 0, 1}, {0, 0, 0, 2}},
							  .port = {1, 2},
							  .ip_version = 4,
							  .ip_proto = 6},
		.first = 1,
		.until = UINT64_MAX};
	unsigned int n = read_input(data, size), shown = 0;
	struct kd_shape *s;
	int rc = 1;

	must(kd_shape_new(&s, &flow) == 0);
	while (rc == 1 && shown < n) {
		rc = kd_shape_show(s, &segments[shown].c, shown + 1, KD_LINK_RAW);
		shown++;
	}
	for (unsigned int kind = 0; rc == 0 && kind < KD_SHAPE_COUNT; kind++)
		apply_all(s, n, kind);
	kd_shape_free(s);
	return 0;
}

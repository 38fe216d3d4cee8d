/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames of a changed hello: the headers of the packet that carried it before, new numbers, lengths and
 * checksums. Packets that only move keep the sum they had, right or wrong, with the change added (RFC 1624),
 * so that a decoy stays one. Decides nothing about what is put in.
 */
#include "drivers/shape_parts.h"

#include <string.h>

#include "engine/cursor.h"

#define IP4_LEN 20
#define IP6_LEN 40
#define FRAGMENT6_LEN 8
#define NEXT_FRAGMENT 44
#define IP4_MORE 0x2000
#define IP4_DONT 0x4000

static uint32_t sum_bytes(uint32_t sum, const uint8_t *p, size_t len)
{
	for (; len >= 2; p += 2, len -= 2)
		sum += kd_get16(p);
	return len != 0 ? sum + ((uint32_t)*p << 8) : sum;
}

static uint16_t finish_sum(uint32_t sum)
{
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* Room for a frame of len bytes, or NULL. */
static uint8_t *room(struct kd_shape *s, size_t len)
{
	uint8_t *at = s->frames + s->frames_used;

	if (s->nout == KD_SHAPE_PIECES || len > s->frames_room - s->frames_used)
		return NULL;
	s->frames_used += len;
	return at;
}

static void give(struct kd_shape *s, const struct kd_captured *c, const uint8_t *data, size_t len)
{
	struct kd_captured *o = &s->out[s->nout++];

	*o = *c;
	o->data = data;
	o->len = (uint32_t)len;
	o->wire_len = (uint32_t)len;
}

/* Lengths of a packet that ends at `end`, in the link's headers and in its own, and the sum of an IPv4
 * header.
 */
static void fix_lengths(uint8_t *p, const struct kd_view *v, size_t end)
{
	uint8_t *ip = p + v->l3_off;
	size_t header = (ip[0] & 0x0fu) * 4;

	if (v->pppoe_off != 0)
		kd_put16(p + v->pppoe_off, (uint16_t)(end - v->pppoe_off - 2));
	if (v->ip_version == 6) {
		kd_put16(ip + 4, (uint16_t)(end - v->l3_off - IP6_LEN));
		return;
	}
	kd_put16(ip + 2, (uint16_t)(end - v->l3_off));
	kd_put16(ip + 10, 0);
	kd_put16(ip + 10, finish_sum(sum_bytes(0, ip, header)));
}

static void sum_tcp(uint8_t *p, const struct kd_view *v, size_t end)
{
	uint8_t *ip = p + v->l3_off, *tcp = p + v->l4_off;
	uint32_t sum = KD_PROTO_TCP + (uint32_t)(end - v->l4_off);

	kd_put16(tcp + 16, 0);
	sum = v->ip_version == 4 ? sum_bytes(sum, ip + 12, 8) : sum_bytes(sum, ip + 8, 32);
	kd_put16(tcp + 16, finish_sum(sum_bytes(sum, tcp, end - v->l4_off)));
}

/* A segment with these bytes at this number: its frame, *ret_len long; NULL: no room. */
static uint8_t *segment(struct kd_shape *s, const struct kd_captured *c, const struct kd_view *v,
	uint32_t seq, const uint8_t *bytes, size_t len, size_t *ret_len)
{
	uint8_t *p = room(s, v->payload_off + len);

	if (p == NULL)
		return NULL;
	memcpy(p, c->data, v->payload_off);
	memcpy(p + v->payload_off, bytes, len);
	kd_put32(p + v->l4_off + 4, seq);
	*ret_len = v->payload_off + len;
	fix_lengths(p, v, *ret_len);
	sum_tcp(p, v, *ret_len);
	return p;
}

/* Bytes [from, to) of the transport of frame p as one fragment. An IPv6 fragment header stands behind the IP
 * header alone: shape.c asked for that. */
static bool fragment(struct kd_shape *s, const struct kd_captured *c, const struct kd_view *v,
	const uint8_t *p, size_t from, size_t to, bool more)
{
	size_t extra = v->ip_version == 6 ? FRAGMENT6_LEN : 0, head = v->l4_off + extra;
	uint8_t *f = room(s, head + to - from);
	uint8_t *ip;

	if (f == NULL)
		return false;
	ip = f + v->l3_off;
	memcpy(f, p, v->l4_off);
	memcpy(f + head, p + v->l4_off + from, to - from);
	if (v->ip_version == 6) {
		uint8_t *ext = f + v->l4_off;

		ext[0] = KD_PROTO_TCP;
		ext[1] = 0;
		kd_put16(ext + 2, (uint16_t)(from | more));
		/* Any number that no other packet of the pair has (RFC 8200 4.5); the sequence number will
		 * do. */
		kd_put32(ext + 4, v->seq);
		ip[6] = NEXT_FRAGMENT;
	} else {
		if (kd_get16(ip + 4) == 0) /* allowed of a packet that must not be cut, RFC 6864 4.1 */
			kd_put16(ip + 4, (uint16_t)(v->seq | 1));
		kd_put16(ip + 6, (uint16_t)(from / 8 | (more ? IP4_MORE : 0)));
	}
	fix_lengths(f, v, head + to - from);
	give(s, c, f, head + to - from);
	return true;
}

/* The frame in two fragments, cut at the last multiple of 8 up to `inside` (of its payload). */
static bool fragments(struct kd_shape *s, const struct kd_captured *c, const struct kd_view *v,
	const uint8_t *p, size_t len, size_t inside)
{
	size_t all = len - v->l4_off, cut = (v->payload_off - v->l4_off + inside) & ~(size_t)7;

	if (v->ip_version == 6 && v->l4_off - v->l3_off != IP6_LEN)
		return false;
	return fragment(s, c, v, p, 0, cut, true) && fragment(s, c, v, p, cut, all, false);
}

/* How much of the put bytes, from `at`, goes into one segment. */
static size_t next_len(const struct kd_shape *s, const struct kd_view *v, size_t at)
{
	size_t options = v->payload_off - v->l4_off - 20, left = s->put_len - at;
	size_t most = s->mss > options + 1 ? s->mss - options : 1;

	if (s->cut > at && s->cut - at < left)
		left = s->cut - at;
	return left < most ? left : most;
}

bool kd_shape_frames(struct kd_shape *s, const struct kd_captured *c, const struct kd_view *v)
{
	for (size_t at = 0, n; at < s->put_len; at += n) {
		bool first = at == 0, last, cut;
		size_t len;
		uint8_t *p;

		n = next_len(s, v, at);
		last = at + n == s->put_len;
		cut = s->fragment > at && s->fragment < at + n;
		p = segment(s, c, v, s->start + (uint32_t)at, s->put + at, n, &len);
		if (p == NULL)
			return false;
		if (!last)
			p[v->l4_off + 13] &= (uint8_t)~KD_TCP_PSH;
		else
			p[v->l4_off + 13] |= KD_TCP_PSH;
		/* An ID of its own is more than a client must give such a packet, RFC 6864 4.1. */
		if (v->ip_version == 4 && !first) {
			kd_put16(p + v->l3_off + 4, 0);
			kd_put16(p + v->l3_off + 6, IP4_DONT);
		}
		fix_lengths(p, v, len);
		sum_tcp(p, v, len);
		if (cut && !fragments(s, c, v, p, len, s->fragment - at))
			return false;
		if (!cut && s->nout < KD_SHAPE_PIECES)
			give(s, c, p, len);
	}
	return true;
}

/* By how much numbers behind the hello grow. */
static uint32_t grown(const struct kd_shape *s)
{
	return (uint32_t)(s->put_len - s->hello_len);
}

void kd_shape_trim(struct kd_shape *s, const struct kd_captured *c, const struct kd_view *v, size_t n)
{
	size_t len;
	uint8_t *p = segment(s, c, v, v->seq + (uint32_t)n + grown(s), c->data + v->payload_off + n,
		v->payload_len - n, &len);

	if (p != NULL)
		give(s, c, p, len);
}

/* Adds `by` to a number of a TCP header and keeps its sum as right as it was. An odd place in the header
 * turns the bytes of both words. */
static void add(uint8_t *tcp, size_t at, uint32_t by)
{
	uint32_t old = kd_get32(tcp + at), new = old + by, sum = (uint16_t)~kd_get16(tcp + 16);
	unsigned int turn = at % 2 * 8;

	for (unsigned int i = 0; i < 32; i += 16) {
		uint16_t out = (uint16_t) ~(old >> i), in = (uint16_t)(new >> i);

		sum += (uint16_t)(out << turn | out >> (16 - turn)) +
		       (uint16_t)(in << turn | in >> (16 - turn));
	}
	kd_put32(tcp + at, new);
	kd_put16(tcp + 16, finish_sum(sum));
}

static bool is_behind(const struct kd_shape *s, uint32_t number)
{
	return (int32_t)(number - s->start) >= (int32_t)s->hello_len;
}

/* The edges of blocks that arrived out of order (RFC 2018). */
static void move_sack(const struct kd_shape *s, uint8_t *tcp, size_t len)
{
	struct kd_cur c = kd_cur(tcp + 20, len - 20);

	while (kd_cur_left(&c) > 0) {
		uint8_t kind = kd_cur_u8(&c), size;
		const uint8_t *body;

		if (kind == 0)
			return;
		if (kind == 1)
			continue;
		size = kd_cur_u8(&c);
		body = size >= 2 ? kd_cur_take(&c, size - 2u) : NULL;
		if (body == NULL)
			return;
		for (size_t i = 0; kind == 5 && i + 4 <= size - 2u; i += 4)
			if (is_behind(s, kd_get32(body + i)))
				add(tcp, (size_t)(body - tcp) + i, grown(s));
	}
}

void kd_shape_move(struct kd_shape *s, const struct kd_captured *c, const struct kd_view *v, bool opener)
{
	uint8_t *p = grown(s) != 0 ? room(s, c->len) : NULL, *tcp;

	if (p == NULL) {
		s->out[s->nout++] = *c;
		return;
	}
	memcpy(p, c->data, c->len);
	tcp = p + v->l4_off;
	if (opener && is_behind(s, v->seq))
		add(tcp, 4, grown(s));
	if (!opener && (v->tcp_flags & KD_TCP_ACK) != 0 && is_behind(s, v->ack))
		add(tcp, 8, grown(s));
	if (!opener)
		move_sack(s, tcp, v->payload_off - v->l4_off);
	s->out[s->nout] = *c;
	s->out[s->nout++].data = p;
}

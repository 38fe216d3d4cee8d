/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fragments put together as the endpoint does: all pieces of a packet in any order. Of a packet whose pieces
 * overlap nothing is kept, as Linux does since 2018 and RFC 5722 asks for IPv6. Pieces that never meet make
 * room for others, the oldest first; a fragment that has died on the way is none.
 */
#include "engine/observe.h"

#include <string.h>

#include "engine/cursor.h"

/* Linux, net.ipv4.ipfrag_time and net.ipv6.ip6frag_time. */
#define LIFETIME_NS (30 * 1000000000ull)

struct piece {
	uint32_t id, from, to;
	uint8_t proto; /* of what the packet carries */
	bool last;
};

/* decode has seen the headers whole and their lengths right. */
static bool read_piece(const struct kd_pkt *pkt, const struct kd_view *v, struct piece *ret)
{
	const uint8_t *ip = pkt->data + v->l3_off, *h = pkt->data + v->l4_off - 8;
	uint32_t end = v->ip_end;
	uint16_t field;

	if (v->ip_version == 4) {
		field = kd_get16(ip + 6);
		*ret = (struct piece){.id = kd_get16(ip + 4),
			.from = (field & 0x1fffu) * 8,
			.proto = ip[9],
			.last = (field & 0x2000) == 0};
	} else {
		/* An extension header in front of it is not taken apart. */
		if (v->l4_off != v->l3_off + 40 + 8)
			return false;
		field = kd_get16(h + 2);
		*ret = (struct piece){.id = kd_get32(h + 4),
			.from = field & 0xfff8u,
			.proto = h[0],
			.last = (field & 1) == 0};
	}
	if (end <= v->l4_off || end > pkt->len)
		return false;
	ret->to = ret->from + (end - v->l4_off);
	return ret->to <= KD_PARTS_BYTES - KD_PARTS_HEAD - 1 && (ret->last || (ret->to - ret->from) % 8 == 0);
}

static bool is_of(const struct kd_parts *p, const struct kd_pkt *pkt, const struct kd_view *v,
	const struct piece *piece)
{
	size_t bytes = v->ip_version == 4 ? 4 : 16;

	return p->used && p->id == piece->id && p->version == v->ip_version && p->side == pkt->side &&
	       (v->ip_version == 6 || p->proto == piece->proto) && memcmp(p->addr[0], v->src, bytes) == 0 &&
	       memcmp(p->addr[1], v->dst, bytes) == 0;
}

/* Those of its packet, or the place of the oldest. */
static struct kd_parts *parts_of(
	struct kd_engine *e, const struct kd_pkt *pkt, const struct kd_view *v, const struct piece *piece)
{
	struct kd_parts *slots = e->observer->parts, *p = &slots[0];
	size_t bytes = v->ip_version == 4 ? 4 : 16;
	uint8_t *packet;

	for (unsigned int i = 0; i < KD_PARTS_SLOTS; i++) {
		if (slots[i].used && e->now_ns - slots[i].since_ns >= LIFETIME_NS)
			slots[i].used = false;
		if (is_of(&slots[i], pkt, v, piece))
			return &slots[i];
		if (p->used && (!slots[i].used || slots[i].since_ns < p->since_ns))
			p = &slots[i];
	}
	packet = p->packet;
	*p = (struct kd_parts){.used = true,
		.packet = packet,
		.since_ns = e->now_ns,
		.id = piece->id,
		.proto = piece->proto,
		.version = v->ip_version,
		.side = pkt->side};
	memcpy(p->addr[0], v->src, bytes);
	memcpy(p->addr[1], v->dst, bytes);
	return p;
}

static bool fits(const struct kd_parts *p, const struct piece *piece)
{
	if (p->n == KD_PARTS_MOST || (p->whole != 0 && (piece->last || piece->to > p->whole)))
		return false;
	for (uint32_t i = 0; i < p->n; i++)
		if ((piece->from < p->part[i].to && p->part[i].from < piece->to) ||
			(piece->last && p->part[i].to > piece->to))
			return false;
	return true;
}

/* The first fragment's header, as if the packet had never been cut. */
static void put_head(struct kd_parts *p, const struct kd_pkt *pkt, const struct kd_view *v)
{
	uint8_t *ip;

	p->head_len = v->ip_version == 4 ? (uint16_t)(v->l4_off - v->l3_off) : 40;
	ip = p->packet + KD_PARTS_HEAD - p->head_len;
	memcpy(ip, pkt->data + v->l3_off, p->head_len);
}

static void finish_head(const struct kd_parts *p, uint8_t *ip)
{
	if (p->version == 4) {
		kd_put16(ip + 2, (uint16_t)(p->head_len + p->whole));
		kd_put16(ip + 6, 0);
	} else {
		kd_put16(ip + 4, (uint16_t)p->whole);
		ip[6] = p->proto;
	}
}

bool kd_observe_fragment(struct kd_engine *e, struct kd_pkt *pkt, struct kd_view *view)
{
	struct kd_parts *p;
	struct piece piece;
	uint8_t *ip;

	if ((pkt->flags & KD_PKT_WRONG_SUM) != 0 || pkt->len < pkt->wire_len ||
		!read_piece(pkt, view, &piece))
		return false;
	p = parts_of(e, pkt, view, &piece);
	if (!fits(p, &piece)) {
		p->used = false;
		return false;
	}
	p->part[p->n].from = piece.from;
	p->part[p->n++].to = piece.to;
	p->bytes += piece.to - piece.from;
	if (piece.last)
		p->whole = piece.to;
	memcpy(p->packet + KD_PARTS_HEAD + piece.from, pkt->data + view->l4_off, piece.to - piece.from);
	if (piece.from == 0) {
		put_head(p, pkt, view);
		p->proto = piece.proto;
	}
	if (p->whole == 0 || p->bytes != p->whole || p->head_len + p->whole > UINT16_MAX)
		return false;
	ip = p->packet + KD_PARTS_HEAD - p->head_len;
	finish_head(p, ip);
	p->used = false;
	pkt->data = ip;
	pkt->len = pkt->wire_len = p->head_len + p->whole;
	pkt->headroom = pkt->tailroom = 0;
	pkt->flags |= KD_PKT_SUMS_JUDGED; /* piece by piece; the headers say other things now */
	pkt->link = KD_LINK_RAW;
	kd_decode(view, pkt->data, pkt->len, pkt->wire_len, pkt->link);
	if (view->reason != 0)
		return false;
	view->fragment = true; /* it was */
	return true;
}

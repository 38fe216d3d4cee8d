/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Puts the fragments of an IP packet together in one buffer, for the box to read: the headers of the fragment
 * at offset 0, their lengths set right, then all bytes. That all are here and none overlap is frag.c's; what
 * is made of the packet is the engine's. The fragments themselves are not touched.
 *
 * Checksums of the transport are not looked at, as of no other packet; the IPv4 header's is made anew.
 */
#include <string.h>

#include "engine/craft.h"
#include "engine/cursor.h"
#include "engine/frag.h"
#include "engine/internal.h"

#define PACKET_MAX 65535

static const struct kd_frag_piece *head_of(
	const struct kd_frag *f, const struct kd_frag_queue *q, const struct kd_frag_piece *last)
{
	for (uint32_t at = q->first; at != 0; at = f->piece[at].next)
		if (f->piece[at].from == 0)
			return &f->piece[at];
	return last;
}

static uint16_t copy(struct kd_frag_whole *w, const struct kd_frag_piece *p, uint32_t head_len)
{
	if (p->pkt.len < p->l4_off + (p->to - p->from))
		return KD_REASON_TRUNCATED_CAPTURE;
	memcpy(w->bytes + head_len + p->from, p->pkt.data + p->l4_off, p->to - p->from);
	return KD_REASON_NONE;
}

/* The headers before l4_off, as of a packet that carries so many bytes in one piece. False: no IP header can
 * say that. */
static bool fix_headers(uint8_t *data, const struct kd_frag_piece *head, uint32_t bytes)
{
	uint8_t *ip = data + head->l3_off;
	uint32_t header = (uint32_t)head->l4_off - head->l3_off, total = header + bytes;

	if (ip[0] >> 4 == 4) {
		if (total > PACKET_MAX)
			return false;
		kd_put16(ip + 2, (uint16_t)total);
		kd_put16(ip + 6, kd_get16(ip + 6) & 0x4000);
		kd_craft_sum_ip4(ip, header);
	} else {
		/* Offset 0 and nothing to follow: an atomic fragment, RFC 6946. */
		if (total - 40 > PACKET_MAX)
			return false;
		kd_put16(ip + 4, (uint16_t)(total - 40));
		kd_put16(data + head->l4_off - 6, kd_get16(data + head->l4_off - 6) & 0x0006);
	}
	if (head->pppoe_off == 0)
		return true;
	total += head->l3_off - head->pppoe_off - 2u;
	if (total > PACKET_MAX)
		return false;
	kd_put16(data + head->pppoe_off, (uint16_t)total);
	return true;
}

uint16_t kd_frag_join(struct kd_engine *e, const struct kd_frag_queue *q, const struct kd_frag_piece *last)
{
	struct kd_frag *f = &e->frag;
	struct kd_frag_whole *w = &f->whole;
	const struct kd_frag_piece *head = head_of(f, q, last);
	uint16_t why = KD_REASON_NONE;

	if (head->l4_off + q->whole > KD_FRAG_WHOLE_BYTES)
		return KD_REASON_FRAG_BAD_LENGTH;
	memcpy(w->bytes, head->pkt.data, head->l4_off);
	if (!fix_headers(w->bytes, head, q->whole))
		return KD_REASON_FRAG_BAD_LENGTH;
	for (uint32_t at = q->first; at != 0 && why == KD_REASON_NONE; at = f->piece[at].next)
		why = copy(w, &f->piece[at], head->l4_off);
	if (why == KD_REASON_NONE)
		why = copy(w, last, head->l4_off);
	if (why != KD_REASON_NONE)
		return why;
	w->pkt = last->pkt;
	w->pkt.data = w->bytes;
	w->pkt.len = w->pkt.wire_len = head->l4_off + q->whole;
	w->pkt.headroom = w->pkt.tailroom = 0;
	w->pkt.link = head->pkt.link;
	kd_decode(&w->view, w->bytes, w->pkt.len, w->pkt.wire_len, w->pkt.link);
	if (w->view.reason == KD_REASON_NONE)
		kd_flow_key(&e->table, &w->key, &w->view, w->pkt.side);
	return w->view.reason;
}

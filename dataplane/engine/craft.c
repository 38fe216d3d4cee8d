/* SPDX-License-Identifier: BSD-3-Clause */
/* Forged frames; see craft.h. Sums are computed over the few header bytes that remain, never updated
 * incrementally: a capture taken at an offloading host holds sums that were never finished. */
#include "engine/craft.h"

#include <errno.h>
#include <string.h>

#include "engine/cursor.h"

#define ETH_MIN_LEN 60 /* without the frame check sequence, IEEE 802.3 */
#define MAC_LEN 6
#define IP4_LEN 20
#define IP6_LEN 40
#define TCP_LEN 20

static uint32_t sum_bytes(uint32_t sum, const uint8_t *p, size_t len)
{
	for (; len >= 2; p += 2, len -= 2)
		sum += kd_get16(p);
	return len != 0 ? sum + ((uint32_t)*p << 8) : sum;
}

static uint16_t finish_sum(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* Fills in the checksum of a TCP header (with options, without payload) at l4 behind the IP header at l3. */
static void sum_tcp(uint8_t *l3, uint8_t *l4, unsigned int ip_version, size_t tcp_len)
{
	uint32_t sum = KD_PROTO_TCP + (uint32_t)tcp_len;

	kd_put16(l4 + 16, 0);
	sum = ip_version == 4 ? sum_bytes(sum, l3 + 12, 8) : sum_bytes(sum, l3 + 8, 32);
	kd_put16(l4 + 16, finish_sum(sum_bytes(sum, l4, tcp_len)));
}

void kd_craft_sum_ip4(uint8_t *l3, size_t len)
{
	kd_put16(l3 + 10, 0);
	kd_put16(l3 + 10, finish_sum(sum_bytes(0, l3, len)));
}

/* PPPoE says how long what follows it is; its length field stands two bytes before the PPP protocol. */
static void fix_pppoe(uint8_t *data, const struct kd_view *v, size_t ip_end)
{
	if (v->pppoe_off != 0)
		kd_put16(data + v->pppoe_off, (uint16_t)(ip_end - v->pppoe_off - 2));
}

/* Cooked captures: 0 = sent to us, 4 = sent by us; a packet between others stays one. */
static uint8_t turned_type(uint8_t type)
{
	return type == 0 || type == 4 ? type ^ 4 : type;
}

/* The link header of an answer that goes back: as if the receiver had sent it. */
static void turn_link(uint8_t *data, unsigned int link)
{
	uint8_t mac[MAC_LEN];

	if (link == KD_LINK_ETHERNET) {
		memcpy(mac, data, MAC_LEN);
		memcpy(data, data + MAC_LEN, MAC_LEN);
		memcpy(data + MAC_LEN, mac, MAC_LEN);
	}
	if (link == KD_LINK_SLL)
		data[1] = turned_type(data[1]);
	if (link == KD_LINK_SLL2)
		data[10] = turned_type(data[10]);
}

static size_t pad(uint8_t *data, size_t len, size_t room, unsigned int link)
{
	if (link != KD_LINK_ETHERNET || len >= ETH_MIN_LEN || room < ETH_MIN_LEN)
		return len;
	memset(data + len, 0, ETH_MIN_LEN - len);
	return ETH_MIN_LEN;
}

/*
 * IPv4 without options or IPv6 without extension headers, carrying one TCP header; returns the header's
 * length. No source tells what a box puts into the fields it need not copy: TTL, DSCP and DF as the
 * trigger's, identification and window 0 are assumed. What belongs to one direction only (ECN marks, the flow
 * label) does not go back.
 */
static size_t craft_ip(uint8_t *l3, const uint8_t *from, const struct kd_view *v, enum kd_craft_way way)
{
	const uint8_t *src = way == KD_CRAFT_BACK ? v->dst : v->src;
	const uint8_t *dst = way == KD_CRAFT_BACK ? v->src : v->dst;

	if (v->ip_version == 4) {
		memcpy(l3, from, IP4_LEN);
		l3[0] = 0x45;
		kd_put16(l3 + 2, IP4_LEN + TCP_LEN);
		kd_put16(l3 + 4, 0);
		if (way == KD_CRAFT_BACK)
			l3[1] &= 0xfc;
		l3[9] = KD_PROTO_TCP;
		memcpy(l3 + 12, src, 4);
		memcpy(l3 + 16, dst, 4);
		kd_craft_sum_ip4(l3, IP4_LEN);
		return IP4_LEN;
	}
	memcpy(l3, from, IP6_LEN);
	kd_put16(l3 + 4, TCP_LEN);
	if (way == KD_CRAFT_BACK)
		kd_put32(l3, kd_get32(l3) & 0xffc00000);
	l3[6] = KD_PROTO_TCP;
	memcpy(l3 + 8, src, 16);
	memcpy(l3 + 24, dst, 16);
	return IP6_LEN;
}

static void craft_tcp(uint8_t *l4, const struct kd_view *v, enum kd_craft_way way)
{
	uint32_t after = v->seq + v->payload_wire_len + ((v->tcp_flags & KD_TCP_SYN) != 0) +
			 ((v->tcp_flags & KD_TCP_FIN) != 0);
	bool acked = (v->tcp_flags & KD_TCP_ACK) != 0;

	memset(l4, 0, TCP_LEN);
	kd_put16(l4, way == KD_CRAFT_BACK ? v->dport : v->sport);
	kd_put16(l4 + 2, way == KD_CRAFT_BACK ? v->sport : v->dport);
	l4[12] = (TCP_LEN / 4) << 4;
	/* RFC 9293 3.5.2: a reset answering a segment with ACK takes its sequence from there, else it
	 * acknowledges it. */
	if (way == KD_CRAFT_BACK) {
		kd_put32(l4 + 4, acked ? v->ack : 0);
		kd_put32(l4 + 8, after);
		l4[13] = KD_TCP_RST | KD_TCP_ACK;
	} else {
		kd_put32(l4 + 4, after);
		kd_put32(l4 + 8, acked ? v->ack : 0);
		l4[13] = (uint8_t)(KD_TCP_RST | (acked ? KD_TCP_ACK : 0));
	}
}

int kd_craft_rst(
	uint8_t *buf, size_t room, const struct kd_pkt *t, const struct kd_view *v, enum kd_craft_way way)
{
	size_t ip_len = v->ip_version == 4 ? IP4_LEN : IP6_LEN;
	size_t len = v->l3_off + ip_len + TCP_LEN;
	uint8_t *l3 = buf + v->l3_off;

	if (way == KD_CRAFT_BACK && v->mpls)
		return -EOPNOTSUPP;
	if (len > room || room < ETH_MIN_LEN)
		return -EMSGSIZE;
	memcpy(buf, t->data, v->l3_off);
	if (way == KD_CRAFT_BACK)
		turn_link(buf, t->link);
	craft_ip(l3, t->data + v->l3_off, v, way);
	craft_tcp(l3 + ip_len, v, way);
	sum_tcp(l3, l3 + ip_len, v->ip_version, TCP_LEN);
	fix_pppoe(buf, v, len);
	return (int)pad(buf, len, room, t->link);
}

void kd_craft_cut_to_rst(struct kd_pkt *p, const struct kd_view *v)
{
	uint8_t *l3 = p->data + v->l3_off, *l4 = p->data + v->l4_off;
	size_t tcp_len = v->payload_off - v->l4_off;
	size_t end = v->payload_off;

	l4[13] = KD_TCP_RST | KD_TCP_ACK;
	kd_put16(l4 + 18, 0); /* urgent pointer */
	if (v->ip_version == 4) {
		kd_put16(l3 + 2, (uint16_t)(end - v->l3_off));
		kd_craft_sum_ip4(l3, (size_t)(v->l4_off - v->l3_off));
	} else {
		kd_put16(l3 + 4, (uint16_t)(end - v->l3_off - IP6_LEN));
	}
	sum_tcp(l3, l4, v->ip_version, tcp_len);
	fix_pppoe(p->data, v, end);
	p->len = (uint32_t)pad(p->data, end, (size_t)p->len + p->tailroom, p->link);
	p->wire_len = p->len;
}

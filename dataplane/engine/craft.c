/* SPDX-License-Identifier: BSD-3-Clause */
/* Forged frames; see craft.h. Sums are computed over the few header bytes that remain, never updated
 * incrementally: a capture taken at an offloading host holds sums that were never finished. Only a packet
 * that keeps its payload, which a capture may have cut, has its sums moved along. */
#include "engine/craft.h"

#include <errno.h>
#include <string.h>

#include "engine/cursor.h"

#define ETH_MIN_LEN 60 /* without the frame check sequence, IEEE 802.3 */
#define MAC_LEN 6
#define IP4_LEN 20
#define IP6_LEN 40
#define TCP_LEN 20
#define UDP_LEN 8
#define ICMP_LEN 8
#define QUOTED_MAX 128 /* enough for any header and the 8 bytes behind it that RFC 792 asks for */

/* In words of 32 bits: 2^32 is 1 in ones' complement of 16 bits as 2^16 is (RFC 1071, 2 C). */
static uint64_t sum_bytes(uint64_t sum, const uint8_t *p, size_t len)
{
	for (; len >= 4; p += 4, len -= 4)
		sum += kd_get32(p);
	if (len >= 2)
		sum += kd_get16(p);
	return (len & 1) != 0 ? sum + ((uint64_t)p[len - 1] << 8) : sum;
}

static uint16_t finish_sum(uint64_t sum)
{
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* Fills in the checksum at `at` of the len bytes at l4 behind the IP header at l3, with the pseudo-header
 * that all but ICMP have. */
static void sum_l4(uint8_t *l3, uint8_t *l4, const struct kd_view *v, uint8_t proto, size_t len, size_t at)
{
	uint64_t sum = proto + len;
	uint16_t done;

	kd_put16(l4 + at, 0);
	if (proto == KD_PROTO_ICMP)
		sum = 0;
	else
		sum = v->ip_version == 4 ? sum_bytes(sum, l3 + 12, 8) : sum_bytes(sum, l3 + 8, 32);
	done = finish_sum(sum_bytes(sum, l4, len));
	/* RFC 768: 0 would say that there is none. */
	kd_put16(l4 + at, done == 0 && proto == KD_PROTO_UDP ? 0xffff : done);
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
 * IPv4 without options or IPv6 without extension headers, carrying so many bytes of a transport. No source
 * tells what a box puts into the fields it need not copy: TTL, DSCP and DF as the trigger's, identification
 * and window 0 are assumed. What belongs to one direction only (ECN marks, the flow label) does not go back.
 */
static void craft_ip(uint8_t *l3, const uint8_t *from, const struct kd_view *v, enum kd_craft_way way,
	uint8_t proto, size_t len)
{
	const uint8_t *src = way == KD_CRAFT_BACK ? v->dst : v->src;
	const uint8_t *dst = way == KD_CRAFT_BACK ? v->src : v->dst;

	if (v->ip_version == 4) {
		memcpy(l3, from, IP4_LEN);
		l3[0] = 0x45;
		kd_put16(l3 + 2, (uint16_t)(IP4_LEN + len));
		kd_put16(l3 + 4, 0);
		if (way == KD_CRAFT_BACK)
			l3[1] &= 0xfc;
		l3[9] = proto;
		memcpy(l3 + 12, src, 4);
		memcpy(l3 + 16, dst, 4);
		kd_craft_sum_ip4(l3, IP4_LEN);
		return;
	}
	memcpy(l3, from, IP6_LEN);
	kd_put16(l3 + 4, (uint16_t)len);
	if (way == KD_CRAFT_BACK)
		kd_put32(l3, kd_get32(l3) & 0xffc00000);
	l3[6] = proto;
	memcpy(l3 + 8, src, 16);
	memcpy(l3 + 24, dst, 16);
}

/* Behind the last byte and flag of the trigger. */
static uint32_t end_of(const struct kd_view *v)
{
	return v->seq + v->payload_wire_len + ((v->tcp_flags & KD_TCP_SYN) != 0) +
	       ((v->tcp_flags & KD_TCP_FIN) != 0);
}

static void put_ports(uint8_t *l4, const struct kd_view *v, enum kd_craft_way way)
{
	kd_put16(l4, way == KD_CRAFT_BACK ? v->dport : v->sport);
	kd_put16(l4 + 2, way == KD_CRAFT_BACK ? v->sport : v->dport);
}

static void craft_rst(uint8_t *l4, const struct kd_view *v, enum kd_craft_way way)
{
	bool acked = (v->tcp_flags & KD_TCP_ACK) != 0;

	memset(l4, 0, TCP_LEN);
	put_ports(l4, v, way);
	l4[12] = (TCP_LEN / 4) << 4;
	/* RFC 9293 3.5.2: a reset answering a segment with ACK takes its sequence from there, else it
	 * acknowledges it. */
	if (way == KD_CRAFT_BACK) {
		kd_put32(l4 + 4, acked ? v->ack : 0);
		kd_put32(l4 + 8, end_of(v));
		l4[13] = KD_TCP_RST | KD_TCP_ACK;
	} else {
		kd_put32(l4 + 4, end_of(v));
		kd_put32(l4 + 8, acked ? v->ack : 0);
		l4[13] = (uint8_t)(KD_TCP_RST | (acked ? KD_TCP_ACK : 0));
	}
}

static size_t ip_len(const struct kd_view *v)
{
	return v->ip_version == 4 ? IP4_LEN : IP6_LEN;
}

/* The link header of a frame with so many bytes behind its IP header; 0, or why it cannot be. */
static int begin(uint8_t *buf, size_t room, const struct kd_pkt *t, const struct kd_view *v,
	enum kd_craft_way way, size_t len)
{
	if (way == KD_CRAFT_BACK && v->mpls)
		return -EOPNOTSUPP;
	if (v->l3_off + ip_len(v) + len > room || room < ETH_MIN_LEN)
		return -EMSGSIZE;
	memcpy(buf, t->data, v->l3_off);
	if (way == KD_CRAFT_BACK)
		turn_link(buf, t->link);
	return 0;
}

/* The IP header, the checksum at `at`, lengths and padding, once the transport's len bytes are there. */
static int finish(uint8_t *buf, size_t room, const struct kd_pkt *t, const struct kd_view *v,
	enum kd_craft_way way, uint8_t proto, size_t len, size_t at)
{
	uint8_t *l3 = buf + v->l3_off, *l4 = l3 + ip_len(v);
	size_t end = v->l3_off + ip_len(v) + len;

	craft_ip(l3, t->data + v->l3_off, v, way, proto, len);
	sum_l4(l3, l4, v, proto, len, at);
	fix_pppoe(buf, v, end);
	return (int)pad(buf, end, room, t->link);
}

int kd_craft_rst(
	uint8_t *buf, size_t room, const struct kd_pkt *t, const struct kd_view *v, enum kd_craft_way way)
{
	int rc = begin(buf, room, t, v, way, TCP_LEN);

	if (rc < 0)
		return rc;
	craft_rst(buf + v->l3_off + ip_len(v), v, way);
	return finish(buf, room, t, v, way, KD_PROTO_TCP, TCP_LEN, 16);
}

int kd_craft_tcp(uint8_t *buf, size_t room, const struct kd_pkt *t, const struct kd_view *v,
	enum kd_craft_way way, uint8_t flags, const uint8_t *payload, size_t len)
{
	uint8_t *l4 = buf + v->l3_off + ip_len(v);
	int rc = begin(buf, room, t, v, way, TCP_LEN + len);

	if (rc < 0)
		return rc;
	memset(l4, 0, TCP_LEN);
	put_ports(l4, v, way);
	kd_put32(l4 + 4, way == KD_CRAFT_BACK ? v->ack : v->seq);
	kd_put32(l4 + 8, way == KD_CRAFT_BACK ? end_of(v) : v->ack);
	l4[12] = (TCP_LEN / 4) << 4;
	l4[13] = flags;
	memcpy(l4 + 14, t->data + v->l4_off + 14, 2);
	if (len != 0)
		memcpy(l4 + TCP_LEN, payload, len);
	return finish(buf, room, t, v, way, KD_PROTO_TCP, TCP_LEN + len, 16);
}

int kd_craft_udp_reply(uint8_t *buf, size_t room, const struct kd_pkt *t, const struct kd_view *v,
	const uint8_t *payload, size_t len)
{
	uint8_t *l4 = buf + v->l3_off + ip_len(v);
	int rc = begin(buf, room, t, v, KD_CRAFT_BACK, UDP_LEN + len);

	if (rc < 0)
		return rc;
	put_ports(l4, v, KD_CRAFT_BACK);
	kd_put16(l4 + 4, (uint16_t)(UDP_LEN + len));
	memcpy(l4 + UDP_LEN, payload, len);
	return finish(buf, room, t, v, KD_CRAFT_BACK, KD_PROTO_UDP, UDP_LEN + len, 6);
}

int kd_craft_unreachable(uint8_t *buf, size_t room, const struct kd_pkt *t, const struct kd_view *v)
{
	uint8_t *l4 = buf + v->l3_off + ip_len(v);
	size_t quoted = v->ip_end - v->l3_off;
	int rc;

	if (quoted > QUOTED_MAX)
		quoted = QUOTED_MAX;
	rc = begin(buf, room, t, v, KD_CRAFT_BACK, ICMP_LEN + quoted);
	if (rc < 0)
		return rc;
	memset(l4, 0, ICMP_LEN);
	l4[0] = v->ip_version == 4 ? 3 : 1;
	l4[1] = v->ip_version == 4 ? 13 : 1;
	memcpy(l4 + ICMP_LEN, t->data + v->l3_off, quoted);
	return finish(buf, room, t, v, KD_CRAFT_BACK, v->ip_version == 4 ? KD_PROTO_ICMP : KD_PROTO_ICMP6,
		ICMP_LEN + quoted, 2);
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
	sum_l4(l3, l4, v, KD_PROTO_TCP, tcp_len, 16);
	fix_pppoe(p->data, v, end);
	p->len = (uint32_t)pad(p->data, end, (size_t)p->len + p->tailroom, p->link);
	p->wire_len = p->len;
}

/* RFC 1624, equation 3: the sum of what had the bytes `from` and has the bytes `to`. */
static uint16_t move_sum(uint16_t sum, const uint8_t *from, const uint8_t *to, size_t len)
{
	uint32_t moved = (uint16_t)~sum;

	for (size_t i = 0; i < len; i += 2)
		moved += (uint32_t)(uint16_t)~kd_get16(from + i) + kd_get16(to + i);
	return finish_sum(moved);
}

void kd_craft_readdress(struct kd_pkt *p, const struct kd_view *v, const uint8_t *which, const uint8_t *addr)
{
	uint8_t *l3 = p->data + v->l3_off, *sum = p->data + v->l4_off + 6;
	size_t len = v->ip_version == 4 ? 4 : 16;
	uint16_t moved;

	if (v->ip_version == 4)
		kd_put16(l3 + 10, move_sum(kd_get16(l3 + 10), which, addr, len));
	if (kd_get16(sum) != 0) { /* RFC 768: there is one */
		moved = move_sum(kd_get16(sum), which, addr, len);
		kd_put16(sum, moved != 0 ? moved : 0xffff);
	}
	memcpy(p->data + (which - p->data), addr, len);
}

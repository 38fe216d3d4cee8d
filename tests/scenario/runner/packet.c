/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames: link header, IP, TCP / UDP / ICMP, right checksums, and the TCP numbers of both ends so that
 * authors write none. What is sent is counted as sent whether or not a box would have let it through: a
 * scenario is open loop.
 */
#include "scn.h"

#include <string.h>

#include "engine/decode.h"

#define FRAME_MAX 66000
#define LINK_MAX 64
#define TTL_INSIDE 64  /* a client's own, one hop away */
#define TTL_OUTSIDE 52 /* a server's 64 after twelve routers */

static void put16(uint8_t *p, unsigned int v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v & 0xffff);
}

/* RFC 1071, not folded. */
static uint32_t sum(const uint8_t *p, size_t len)
{
	uint32_t s = 0;

	for (size_t i = 0; i < len; i++)
		s += (uint32_t)p[i] << (i % 2 == 0 ? 8 : 0);
	return s;
}

static uint16_t fold(uint32_t s)
{
	while (s >> 16 != 0)
		s = (s & 0xffff) + (s >> 16);
	return (uint16_t)~s;
}

static size_t put_ether_type(const struct scn_link *l, unsigned int from, unsigned int version, size_t ip_len,
	uint8_t *out, size_t at)
{
	unsigned int type = version == 4 ? 0x0800 : 0x86dd;

	for (unsigned int i = 0; i < l->vlans; i++) {
		put16(out + at, i + 1 < l->vlans ? 0x88a8 : 0x8100); /* 802.1ad outside, 802.1Q inside */
		put16(out + at + 2, l->vlan[i]);
		at += 4;
	}
	if (l->labels != 0)
		type = 0x8847;
	if (l->pppoe)
		type = 0x8864;
	put16(out + at, type);
	at += 2;
	if (l->pppoe) { /* RFC 2516 §4 */
		put16(out + at, 0x1100);
		put16(out + at + 2, l->session);
		put16(out + at + 4, (unsigned int)ip_len + 2);
		put16(out + at + 6, version == 4 ? 0x0021 : 0x0057);
		at += 8;
	}
	for (unsigned int i = 0; i < l->labels; i++) {
		put32(out + at, (l->label[i] + from) << 12 | (i + 1 == l->labels ? 0x100 : 0) | 0x40);
		at += 4;
	}
	return at;
}

size_t scn_link_header(
	const struct scn_link *l, unsigned int from, unsigned int version, size_t ip_len, uint8_t *out)
{
	static const uint8_t mac[2][6] = {{2, 0, 0, 0, 0, 0x11}, {2, 0, 0, 0, 0, 0x22}};

	memset(out, 0, LINK_MAX);
	switch (l->kind) {
	case KD_LINK_RAW:
		return 0;
	case KD_LINK_SLL:
		put16(out, from == KD_INSIDE ? 4 : 0); /* sent by us / to us */
		put16(out + 2, 1);
		put16(out + 4, 6);
		memcpy(out + 6, mac[from], 6);
		put16(out + 14, version == 4 ? 0x0800 : 0x86dd);
		return 16;
	case KD_LINK_SLL2:
		put16(out, version == 4 ? 0x0800 : 0x86dd);
		put32(out + 4, 2); /* interface index */
		put16(out + 8, 1);
		out[10] = from == KD_INSIDE ? 4 : 0;
		out[11] = 6;
		memcpy(out + 12, mac[from], 6);
		return 20;
	case KD_LINK_NULL:
		out[0] = version == 4 ? 2 : 10; /* little-endian host, Linux's numbers */
		return 4;
	default:
		memcpy(out, mac[1 - from], 6);
		memcpy(out + 6, mac[from], 6);
		return put_ether_type(l, from, version, ip_len, out, 12);
	}
}

/* MSS, window scale and SACK of a SYN; timestamps on every packet unless the flow's hosts use none (RFC
 * 7323). */
static size_t put_tcp_options(uint8_t *p, bool syn, bool timestamps, uint32_t tsval, uint32_t tsecr)
{
	static const uint8_t of_syn[] = {2, 4, 0x05, 0xb4, 1, 3, 3, 7, 1, 1, 4, 2};
	size_t len = 0;

	if (syn) {
		memcpy(p, of_syn, sizeof(of_syn));
		len = sizeof(of_syn);
	}
	if (timestamps) {
		memcpy(p + len, "\x01\x01\x08\x0a", 4);
		put32(p + len + 4, tsval);
		put32(p + len + 8, tsecr);
		len += 12;
	}
	return len;
}

static uint32_t moved(char sign, uint32_t by, uint32_t tracked)
{
	if (sign == '=')
		return by;
	return sign == '+' ? tracked + by : sign == '-' ? tracked - by : tracked;
}

/* Sequence numbers of this packet, and where the flow stands after it. */
static void number_tcp(struct scn_flow *f, const struct scn_send *d, struct scn_packet *p)
{
	unsigned int side = (unsigned int)d->side;
	const struct scn_options *o = d->options;
	bool aside = o->seq_sign != 0 || d->at_seq != NULL;

	p->flags = o->flags != SCN_ANY ? (uint8_t)o->flags : d->flags;
	if ((p->flags & KD_TCP_SYN) != 0 && !aside) {
		/* A new connection on an old 4-tuple starts elsewhere, and never where the other side does.
		 */
		f->next[side] =
			(side == KD_INSIDE ? 0x10000000u : 0xa0000000u) + 0x01000193u * ++f->syns[side];
	}
	p->seq = moved(o->seq_sign, o->seq, d->at_seq != NULL ? *d->at_seq : f->next[side]);
	p->ack = moved(o->ack_sign, o->ack, (p->flags & KD_TCP_ACK) != 0 ? f->next[1 - side] : 0);
	if ((p->flags & KD_TCP_SYN) != 0 && o->seq_sign == '=')
		f->next[side] = p->seq;
	else if (aside)
		return;
	f->next[side] += (uint32_t)d->len + ((p->flags & KD_TCP_SYN) != 0) + ((p->flags & KD_TCP_FIN) != 0);
}

static size_t put_tcp(struct scn_flow *f, const struct scn_send *d, struct scn_packet *p, uint8_t *t)
{
	unsigned int side = (unsigned int)d->side;
	const struct scn_options *o = d->options;
	size_t header;

	number_tcp(f, d, p);
	f->tsval[side] = (uint32_t)(p->time_ns / 1000000) + (side == KD_INSIDE ? 0x01000000u : 0x7f000000u);
	header = 20 + put_tcp_options(t + 20, (p->flags & KD_TCP_SYN) != 0, !f->no_timestamps,
			      moved(o->tsval_sign, o->tsval, f->tsval[side]),
			      (p->flags & KD_TCP_ACK) != 0 ? f->tsval[1 - side] : 0);
	if (o->md5) { /* RFC 2385 §3: a digest that nobody asked for */
		memcpy(t + header, "\x01\x01\x13\x12", 4);
		memset(t + header + 4, 0xd5, 16);
		header += 20;
	}
	put32(t + 4, p->seq);
	put32(t + 8, p->ack);
	t[12] = (uint8_t)(header / 4 << 4);
	t[13] = p->flags | (o->urg != SCN_ANY ? KD_TCP_URG : 0);
	p->flags = t[13];
	put16(t + 14, 502);
	put16(t + 18, o->urg != SCN_ANY ? (unsigned int)o->urg : 0);
	return header;
}

/* Writes the transport with its payload; returns its length and where its checksum lies. */
static size_t put_transport(
	struct scn_flow *f, const struct scn_send *d, struct scn_packet *p, uint8_t *t, size_t *sum_at)
{
	unsigned int side = (unsigned int)d->side;
	size_t header = 8;

	if (f->proto == KD_PROTO_TCP) {
		header = put_tcp(f, d, p, t);
		*sum_at = 16;
	} else if (f->proto == KD_PROTO_UDP) {
		put16(t + 4, (unsigned int)(8 + d->len));
		*sum_at = 6;
	} else {
		bool reply = side != f->opens;

		t[0] = f->version == 4 ? (reply ? 0 : 8) : (reply ? 129 : 128);
		put16(t + 4, f->port[KD_INSIDE]);
		put16(t + 6, ++f->syns[side]);
		*sum_at = 2;
	}
	if (f->proto == KD_PROTO_TCP || f->proto == KD_PROTO_UDP) {
		put16(t, f->port[side]);
		put16(t + 2, f->port[1 - side]);
	}
	if (d->len != 0)
		memcpy(t + header, d->payload, d->len);
	return header + d->len;
}

static size_t put_ip(
	struct scn_flow *f, const struct scn_send *d, const struct scn_packet *p, uint8_t *ip, size_t len)
{
	unsigned int side = (unsigned int)d->side;

	if (f->version == 6) {
		put32(ip, 0x60000000);
		put16(ip + 4, (unsigned int)len);
		ip[6] = f->proto;
		ip[7] = p->ttl;
		memcpy(ip + 8, f->addr[side], 16);
		memcpy(ip + 24, f->addr[1 - side], 16);
		return 40;
	}
	ip[0] = 0x45;
	put16(ip + 2, (unsigned int)(20 + len));
	if (d->options->fragments.has_id)
		put16(ip + 4, d->options->fragments.id);
	else
		put16(ip + 4, (side == KD_INSIDE ? 0x2000u : 0x6000u) + f->ip_id[side]++);
	put16(ip + 6, 0x4000); /* don't fragment, as path MTU discovery wants */
	ip[8] = p->ttl;
	ip[9] = f->proto;
	memcpy(ip + 12, f->addr[side], 4);
	memcpy(ip + 16, f->addr[1 - side], 4);
	put16(ip + 10, fold(sum(ip, 20)));
	return 20;
}

static uint16_t transport_sum(const struct scn_flow *f, const uint8_t *t, size_t len)
{
	size_t bytes = f->version == 4 ? 4 : 16;
	uint32_t s = sum(t, len);
	uint16_t v;

	if (f->proto != KD_PROTO_ICMP)
		s += sum(f->addr[0], bytes) + sum(f->addr[1], bytes) + f->proto + (uint32_t)len;
	v = fold(s);
	return v == 0 && f->proto == KD_PROTO_UDP ? 0xffff : v;
}

/* What an author asks for and no packet of this flow can have. */
static const char *impossible(const struct scn_flow *f, const struct scn_send *d)
{
	const struct scn_options *o = d->options;
	uint8_t flags = o->flags != SCN_ANY ? (uint8_t)o->flags : d->flags;

	if (!f->used && d->side != f->opens)
		return "the flow's declaration says that the other side opens it";
	if ((o->md5 || o->tsval_sign != 0) && f->proto != KD_PROTO_TCP)
		return "md5 and tsval= are options of TCP";
	if (o->tsval_sign != 0 && f->no_timestamps)
		return "tsval= in a flow without timestamps";
	if (o->md5 && (flags & KD_TCP_SYN) != 0 && !f->no_timestamps)
		return "a SYN with timestamps has no room for md5; say no-timestamps";
	if (o->fragments.has_id && f->version == 6 && o->fragments.count == 0)
		return "a whole IPv6 packet has no identification";
	return NULL;
}

const char *scn_send(struct scn *s, const struct scn_send *d)
{
	struct scn_flow *f = &s->flows[d->flow];
	const struct scn_options *o = d->options;
	struct scn_packet *p;
	uint8_t transport[FRAME_MAX] = {0};
	const char *why = impossible(f, d);
	size_t len, sum_at = 0, link, ip;

	if (why != NULL)
		return why;
	f->used = true;
	p = scn_grow((void **)&s->packets, &s->npackets, sizeof(*s->packets));
	p->time_ns = d->time_ns;
	p->side = (uint8_t)d->side;
	p->ttl = o->ttl != SCN_ANY ? (uint8_t)o->ttl : d->side == KD_INSIDE ? TTL_INSIDE : TTL_OUTSIDE;
	p->bad_sum = o->bad_sum;
	p->bad_sum_seen = o->bad_sum_seen;
	p->payload_len = (uint32_t)d->len;
	p->flow = d->flow;
	p->step = d->step;
	len = put_transport(f, d, p, transport, &sum_at);
	put16(transport + sum_at, transport_sum(f, transport, len) ^ (o->bad_sum ? 0x5555 : 0));
	p->frame = scn_alloc(s, LINK_MAX + 40 + len + SCN_ETHERNET_MIN);
	link = scn_link_header(&s->link, p->side, f->version, len + (f->version == 4 ? 20 : 40), p->frame);
	ip = put_ip(f, d, p, p->frame + link, len);
	memcpy(p->frame + link + ip, transport, len);
	p->len = (uint32_t)(link + ip + len);
	if (s->link.kind == KD_LINK_ETHERNET && p->len < SCN_ETHERNET_MIN)
		p->len = SCN_ETHERNET_MIN; /* the zeros behind it are padding */
	if (o->fragments.count == 0)
		return NULL;
	return scn_fragment(s, &o->fragments, d->name_at != 0 ? len - d->len + d->name_at : 0);
}

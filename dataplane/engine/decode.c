/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Decides where IP, the transport and the payload begin and end, or by name why nobody can know. Lengths are
 * held against the wire, not against the capture: a snaplen cut is no lie. Deliberately not done here:
 * checksums (the driver's option), reassembly of fragments, and any opinion on a header that is odd but can
 * be walked.
 *
 * That VLAN, QinQ and MPLS are crossed, and a frame without an IP header passes, is documented for the real
 * box (tspu-docs ch04, ch15); how deep it looks is not, so KD_TAGS_MAX and KD_EXT_HEADERS_MAX are assumed.
 */
#include "engine/decode.h"

#include "engine/cursor.h"
#include "engine/engine.h"
#include "engine/reason.h"

#include <string.h>

#define ETHERTYPE_IP4 0x0800
#define ETHERTYPE_IP6 0x86dd
#define PPP_IP4 0x0021
#define PPP_IP6 0x0057

struct walk {
	struct kd_view *v;
	const uint8_t *data;
	size_t len;
	size_t wire_end; /* offset where the layer in hand ends on the wire; may lie behind len */
	struct kd_cur c;
};

static inline size_t walked(const struct walk *w)
{
	return (size_t)(w->c.p - w->data);
}

static inline size_t captured(const struct walk *w, size_t off)
{
	return off < w->len ? off : w->len;
}

/* Why a header that ends at offset `end` is not all there: the packet's own fault, or the capture cut it. */
static uint16_t cut(const struct walk *w, size_t end, uint16_t own)
{
	return end > w->wire_end ? own : KD_REASON_TRUNCATED_CAPTURE;
}

static void payload(struct walk *w, size_t off, size_t wire_end)
{
	w->v->payload_off = (uint32_t)off;
	w->v->payload_len = (uint32_t)(captured(w, wire_end) - off);
	w->v->payload_wire_len = (uint32_t)(wire_end - off);
}

static uint16_t tcp(struct walk *w)
{
	size_t end = walked(w) + 20, off;
	const uint8_t *h;

	if (end > w->wire_end)
		return KD_REASON_DECODE_TRUNCATED_TCP;
	h = kd_cur_take(&w->c, 20);
	if (h == NULL)
		return KD_REASON_TRUNCATED_CAPTURE;
	w->v->sport = kd_get16(h);
	w->v->dport = kd_get16(h + 2);
	w->v->seq = kd_get32(h + 4);
	w->v->ack = kd_get32(h + 8);
	w->v->tcp_flags = h[13];
	off = end - 20 + (size_t)(h[12] >> 4) * 4;
	if (off < end || off > w->wire_end)
		return KD_REASON_DECODE_TCP_OFFSET;
	if (off > w->len)
		return KD_REASON_TRUNCATED_CAPTURE;
	payload(w, off, w->wire_end);
	return KD_REASON_NONE;
}

static uint16_t udp(struct walk *w)
{
	size_t start = walked(w), length;
	const uint8_t *h;

	if (start + 8 > w->wire_end)
		return KD_REASON_DECODE_TRUNCATED_UDP;
	h = kd_cur_take(&w->c, 8);
	if (h == NULL)
		return KD_REASON_TRUNCATED_CAPTURE;
	w->v->sport = kd_get16(h);
	w->v->dport = kd_get16(h + 2);
	length = kd_get16(h + 4);
	if (length < 8 || start + length > w->wire_end)
		return KD_REASON_DECODE_UDP_LENGTH;
	payload(w, start + 8, start + length);
	return KD_REASON_NONE;
}

static uint16_t icmp(struct walk *w)
{
	size_t end = walked(w) + 8;

	kd_cur_skip(&w->c, 8);
	if (end > w->wire_end || w->c.bad)
		return cut(w, end, KD_REASON_DECODE_TRUNCATED_ICMP);
	payload(w, end, w->wire_end);
	return KD_REASON_NONE;
}

/* The cursor stands on the transport; the wire ends where the datagram does. */
static inline uint16_t transport(struct walk *w)
{
	struct kd_view *v = w->v;

	v->l4_off = (uint16_t)walked(w);
	if (v->fragment)
		return KD_REASON_FRAG_NOT_INSPECTED;
	if (v->ip_proto == KD_PROTO_TCP)
		return tcp(w);
	if (v->ip_proto == KD_PROTO_UDP)
		return udp(w);
	if (v->ip_proto == (v->ip_version == 4 ? KD_PROTO_ICMP : KD_PROTO_ICMP6))
		return icmp(w);
	payload(w, walked(w), w->wire_end);
	return KD_REASON_NONE;
}

static uint16_t ipv4(struct walk *w)
{
	size_t l3 = walked(w), header, total;
	struct kd_view *v = w->v;
	const uint8_t *h;

	v->l3_off = (uint16_t)l3;
	h = kd_cur_take(&w->c, 20);
	if (h == NULL || l3 + 20 > w->wire_end)
		return cut(w, l3 + 20, KD_REASON_DECODE_TRUNCATED_IP);
	header = (size_t)(h[0] & 0xf) * 4;
	if (h[0] >> 4 != 4 || header < 20)
		return KD_REASON_DECODE_BAD_IP;
	v->ip_version = 4;
	v->ttl = h[8];
	v->ip_proto = h[9];
	v->src = h + 12;
	v->dst = h + 16;
	v->ip_end = (uint32_t)captured(w, w->wire_end);
	kd_cur_skip(&w->c, header - 20);
	if (w->c.bad || l3 + header > w->wire_end)
		return cut(w, l3 + header, KD_REASON_DECODE_TRUNCATED_IP);
	total = kd_get16(h + 2);
	if (total == 0) /* a super-frame: as long as the frame */
		total = w->wire_end - l3;
	if (total < header || l3 + total > w->wire_end)
		return KD_REASON_DECODE_IP_LENGTH;
	w->wire_end = l3 + total;
	v->ip_end = (uint32_t)captured(w, w->wire_end);
	v->fragment = (kd_get16(h + 6) & 0x3fff) != 0; /* more fragments, or an offset */
	return transport(w);
}

/* Consumes one extension header of type v->ip_proto and steps to the next one. */
static uint16_t extension(struct walk *w, uint8_t type)
{
	size_t start = walked(w), length = 8;
	const uint8_t *h = kd_cur_take(&w->c, 8);

	if (h == NULL || start + 8 > w->wire_end)
		return cut(w, start + 8, KD_REASON_DECODE_EXT_HEADERS);
	if (type == 51) { /* AH counts in words and is never under 12 bytes, RFC 4302 2.2 */
		if (h[1] < 1)
			return KD_REASON_DECODE_EXT_HEADERS;
		length = ((size_t)h[1] + 2) * 4;
	} else if (type != 44) {
		length = ((size_t)h[1] + 1) * 8;
	}
	kd_cur_skip(&w->c, length - 8);
	if (w->c.bad || start + length > w->wire_end)
		return cut(w, start + length, KD_REASON_DECODE_EXT_HEADERS);
	/* Routed through others yet: the last destination stands in there, and so does the checksum's. */
	if (type == 43 && h[3] != 0)
		return KD_REASON_DECODE_ROUTED;
	w->v->ip_proto = h[0];
	/* Offset 0 and nothing to follow is an atomic fragment, RFC 6946: a whole datagram. */
	if (type == 44)
		w->v->fragment = (kd_get16(h + 2) & 0xfff9) != 0;
	return KD_REASON_NONE;
}

static inline bool is_extension(uint8_t type)
{
	return type == 0 || type == 43 || type == 44 || type == 51 || type == 60;
}

static uint16_t ipv6(struct walk *w)
{
	size_t l3 = walked(w), total;
	struct kd_view *v = w->v;
	const uint8_t *h;
	uint16_t reason;

	v->l3_off = (uint16_t)l3;
	h = kd_cur_take(&w->c, 40);
	if (h == NULL || l3 + 40 > w->wire_end)
		return cut(w, l3 + 40, KD_REASON_DECODE_TRUNCATED_IP);
	if (h[0] >> 4 != 6)
		return KD_REASON_DECODE_BAD_IP;
	v->ip_version = 6;
	v->ip_proto = h[6];
	v->ttl = h[7];
	v->src = h + 8;
	v->dst = h + 24;
	v->ip_end = (uint32_t)captured(w, w->wire_end);
	total = 40 + (size_t)kd_get16(h + 4);
	if (l3 + total > w->wire_end)
		return KD_REASON_DECODE_IP_LENGTH;
	w->wire_end = l3 + total;
	v->ip_end = (uint32_t)captured(w, w->wire_end);
	/* What follows the fragment header of a real fragment need not be here: the walk ends with it. */
	for (unsigned int n = 0; is_extension(v->ip_proto) && !v->fragment; n++) {
		if (n == KD_EXT_HEADERS_MAX)
			return KD_REASON_DECODE_EXT_HEADERS;
		reason = extension(w, v->ip_proto);
		if (reason != KD_REASON_NONE)
			return reason;
	}
	return transport(w);
}

/* IP by its first nibble; `neither` says what anything else is. */
static uint16_t ip(struct walk *w, uint16_t neither)
{
	struct kd_cur peek = w->c;
	uint8_t first = kd_cur_u8(&peek);

	if (peek.bad || walked(w) + 1 > w->wire_end)
		return cut(w, walked(w) + 1, KD_REASON_DECODE_TRUNCATED_IP);
	if (first >> 4 == 4)
		return ipv4(w);
	if (first >> 4 == 6)
		return ipv6(w);
	return neither;
}

/* A label stack says nothing of what is below it: IP by its first nibble, as every router guesses. */
static uint16_t mpls(struct walk *w, unsigned int tags)
{
	uint32_t label;
	size_t start;

	do {
		if (tags++ == KD_TAGS_MAX)
			return KD_REASON_DECODE_TAGS;
		start = walked(w);
		label = kd_cur_be32(&w->c);
		if (w->c.bad)
			return cut(w, start + 4, KD_REASON_DECODE_TRUNCATED_LINK);
		w->v->mpls = true;
	} while ((label & 0x100) == 0); /* bottom of stack */
	return ip(w, KD_REASON_DECODE_NOT_IP);
}

/* A PPPoE session header, RFC 2516; its length narrows the wire, so that padding stays outside. */
static uint16_t pppoe(struct walk *w)
{
	size_t start = walked(w);
	uint8_t version_type = kd_cur_u8(&w->c), code = kd_cur_u8(&w->c);
	uint16_t length, protocol;

	kd_cur_skip(&w->c, 2); /* session */
	length = kd_cur_be16(&w->c);
	if (w->c.bad)
		return cut(w, start + 6, KD_REASON_DECODE_TRUNCATED_LINK);
	if (version_type != 0x11 || code != 0 || length < 2 || start + 6 + length > w->wire_end)
		return KD_REASON_DECODE_PPP;
	w->v->pppoe_off = (uint16_t)(start + 4);
	w->wire_end = start + 6 + length;
	protocol = kd_cur_be16(&w->c);
	if (w->c.bad)
		return KD_REASON_TRUNCATED_CAPTURE;
	if (protocol == PPP_IP4)
		return ipv4(w);
	if (protocol == PPP_IP6)
		return ipv6(w);
	return KD_REASON_DECODE_NOT_IP;
}

/* The cursor stands behind an ethertype. 802.3 lengths (LLC) fall through to not-IP like any other type. */
static uint16_t ethertype(struct walk *w, uint16_t type)
{
	size_t start;

	for (unsigned int tags = 0;; tags++) {
		switch (type) {
		case ETHERTYPE_IP4:
			return ipv4(w);
		case ETHERTYPE_IP6:
			return ipv6(w);
		case 0x8100:
		case 0x88a8:
		case 0x9100:
		case 0x9200:
			if (tags == KD_TAGS_MAX)
				return KD_REASON_DECODE_TAGS;
			start = walked(w);
			kd_cur_skip(&w->c, 2);
			type = kd_cur_be16(&w->c);
			if (w->c.bad)
				return cut(w, start + 4, KD_REASON_DECODE_TRUNCATED_LINK);
			break;
		case 0x8847:
		case 0x8848:
			return mpls(w, tags);
		case 0x8864:
			return tags == KD_TAGS_MAX ? KD_REASON_DECODE_TAGS : pppoe(w);
		default:
			return KD_REASON_DECODE_NOT_IP;
		}
	}
}

/* BSD loopback: the address family in the byte order of whoever captured. */
static uint16_t loopback(struct walk *w)
{
	uint32_t family = kd_cur_be32(&w->c);

	if (w->c.bad)
		return cut(w, 4, KD_REASON_DECODE_TRUNCATED_LINK);
	if (family > 0xffff)
		family = __builtin_bswap32(family);
	switch (family) {
	case 2:
		return ipv4(w);
	case 10: /* Linux */
	case 24: /* NetBSD, OpenBSD */
	case 28: /* FreeBSD */
	case 30: /* Darwin */
		return ipv6(w);
	default:
		return KD_REASON_DECODE_NOT_IP;
	}
}

/* A link header of `before` bytes, an ethertype and `after` bytes. */
static inline uint16_t typed_link(struct walk *w, size_t before, size_t after)
{
	uint16_t type;

	kd_cur_skip(&w->c, before);
	type = kd_cur_be16(&w->c);
	kd_cur_skip(&w->c, after);
	if (w->c.bad)
		return cut(w, before + 2 + after, KD_REASON_DECODE_TRUNCATED_LINK);
	return ethertype(w, type);
}

/*
 * Most packets: Ethernet, IPv4 without options, TCP, all headers captured and nothing wrong with them. The
 * walk would say the same, only slower.
 */
static inline bool common(struct kd_view *v, const uint8_t *data, size_t len)
{
	struct kd_cur c = kd_cur(data, len);
	const uint8_t *h = kd_cur_take(&c, 54), *l4;
	size_t end, off;

	if (h == NULL || kd_get16(h + 12) != ETHERTYPE_IP4 || h[14] != 0x45 || h[23] != KD_PROTO_TCP)
		return false;
	l4 = h + 34;
	end = 14 + (size_t)kd_get16(h + 16);
	off = 34 + (size_t)(l4[12] >> 4) * 4;
	if ((kd_get16(h + 20) & 0x3fff) != 0 || off < 54 || off > end || end > len)
		return false;
	*v = (struct kd_view){
		.reason = KD_REASON_NONE,
		.ip_version = 4,
		.ip_proto = KD_PROTO_TCP,
		.ttl = h[22],
		.tcp_flags = l4[13],
		.l3_off = 14,
		.l4_off = 34,
		.sport = kd_get16(l4),
		.dport = kd_get16(l4 + 2),
		.seq = kd_get32(l4 + 4),
		.ack = kd_get32(l4 + 8),
		.payload_off = (uint32_t)off,
		.payload_len = (uint32_t)(end - off),
		.payload_wire_len = (uint32_t)(end - off),
		.ip_end = (uint32_t)end,
		.src = h + 26,
		.dst = h + 30,
	};
	return true;
}

void kd_decode(struct kd_view *v, const uint8_t *data, size_t len, size_t wire_len, unsigned int link)
{
	struct walk w = {v, data, len, wire_len > len ? wire_len : len, kd_cur(data, len)};

	if (link == KD_LINK_ETHERNET && common(v, data, len))
		return;
	memset(v, 0, sizeof(*v));
	switch (link) {
	case KD_LINK_ETHERNET:
		v->reason = typed_link(&w, 12, 0);
		break;
	case KD_LINK_RAW:
		v->reason = ip(&w, KD_REASON_DECODE_BAD_IP);
		break;
	case KD_LINK_SLL:
		v->reason = typed_link(&w, 14, 0);
		break;
	case KD_LINK_SLL2:
		v->reason = typed_link(&w, 0, 18);
		break;
	case KD_LINK_NULL:
		v->reason = loopback(&w);
		break;
	default:
		v->reason = KD_REASON_DECODE_NOT_IP;
	}
}

const uint8_t *kd_decode_option(const uint8_t *data, const struct kd_view *v, uint8_t kind, uint8_t len)
{
	struct kd_cur c;

	if (v->ip_proto != KD_PROTO_TCP)
		return NULL;
	c = kd_cur(data + v->l4_off + 20, v->payload_off - v->l4_off - 20);
	while (kd_cur_left(&c) > 0) {
		uint8_t its_kind = kd_cur_u8(&c), its_len;
		const uint8_t *content;

		if (its_kind == 0) /* end of the list */
			return NULL;
		if (its_kind == 1) /* padding */
			continue;
		its_len = kd_cur_u8(&c);
		content = its_len >= 2 ? kd_cur_take(&c, its_len - 2u) : NULL;
		if (c.bad || content == NULL)
			return NULL;
		if (its_kind == kind && its_len == len)
			return content;
	}
	return NULL;
}

uint16_t kd_decode_ip_id(const uint8_t *data, const struct kd_view *v)
{
	return v->ip_version == 4 ? kd_get16(data + v->l3_off + 4) : 0;
}

uint16_t kd_decode_urgent(const uint8_t *data, const struct kd_view *v)
{
	return v->ip_proto == KD_PROTO_TCP ? kd_get16(data + v->l4_off + 18) : 0;
}

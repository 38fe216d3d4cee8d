/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads a frame the way a receiver does and says the first thing wrong with it: lengths that disagree,
 * checksums, bytes left behind the datagram. It knows only what scenarios build, and shares no code with the
 * engine.
 */
#include "run.h"

#include <string.h>

#include "engine/decode.h"

static unsigned int get16(const uint8_t *p)
{
	return (unsigned int)p[0] << 8 | p[1];
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static uint32_t add(uint32_t s, const uint8_t *p, size_t len)
{
	for (; len > 1; len -= 2, p += 2)
		s += get16(p);
	return len != 0 ? s + ((uint32_t)p[0] << 8) : s;
}

/* Whether a sum over data and its checksum is right (RFC 1071). */
static bool sum_right(uint32_t s)
{
	while (s >> 16 != 0)
		s = (s & 0xffff) + (s >> 16);
	return s == 0xffff;
}

/* Steps over Ethernet's tags to the IP header; ppp_len < 0 when there is no PPPoE. */
static const char *skip_ethernet(const uint8_t *p, size_t len, size_t *at, long *ppp_len)
{
	unsigned int type;

	*at = 12;
	for (;;) {
		if (*at + 2 > len)
			return "no Ethernet type";
		type = get16(p + *at);
		*at += 2;
		if (type != 0x8100 && type != 0x88a8)
			break;
		*at += 2;
	}
	if (type == 0x8864) {
		if (*at + 8 > len)
			return "PPPoE header is cut";
		*ppp_len = (long)get16(p + *at + 4) - 2;
		*at += 8;
	} else if (type == 0x8847) {
		do {
			*at += 4;
			if (*at > len)
				return "MPLS stack is cut";
		} while ((p[*at - 2] & 1) == 0);
	} else if (type != 0x0800 && type != 0x86dd) {
		return "Ethernet type is not IP";
	}
	return NULL;
}

static const char *read_tcp(struct wire *w, const uint8_t *t, size_t len)
{
	size_t header;

	if (len < 20)
		return "TCP header is cut";
	header = (size_t)(t[12] >> 4) * 4;
	if (header < 20 || header > len)
		return "TCP data offset is wrong";
	w->seq = get32(t + 4);
	w->ack = get32(t + 8);
	w->flags = t[13];
	w->payload = t + header;
	w->payload_len = len - header;
	return NULL;
}

static const char *read_transport(struct wire *w, const uint8_t *t, size_t len, uint32_t pseudo)
{
	const char *why = NULL;

	if (len < 8)
		return "transport header is cut";
	w->payload = t + 8;
	w->payload_len = len - 8;
	if (w->proto == KD_PROTO_TCP)
		why = read_tcp(w, t, len);
	else if (w->proto == KD_PROTO_UDP && get16(t + 4) != len)
		why = "UDP length is not the datagram's";
	if (why != NULL)
		return why;
	if (w->proto == KD_PROTO_TCP || w->proto == KD_PROTO_UDP) {
		w->port[0] = (uint16_t)get16(t);
		w->port[1] = (uint16_t)get16(t + 2);
	}
	if (w->proto == KD_PROTO_ICMP)
		pseudo = 0;
	return sum_right(add(pseudo, t, len)) ? NULL : "transport checksum is wrong";
}

static const char *read_ip(struct wire *w, const uint8_t *ip, size_t len, size_t *ip_len)
{
	size_t header, total, bytes;
	uint32_t pseudo;

	if (len < 20)
		return "IP header is cut";
	w->version = ip[0] >> 4;
	if (w->version == 6) {
		if (len < 40)
			return "IP header is cut";
		header = 40;
		total = 40 + get16(ip + 4);
		w->proto = ip[6];
		w->ttl = ip[7];
		w->fragment = w->proto == 44;
	} else {
		header = (size_t)(ip[0] & 15) * 4;
		total = get16(ip + 2);
		w->proto = ip[9];
		w->ttl = ip[8];
		w->fragment = (get16(ip + 6) & 0x3fff) != 0;
	}
	if (w->fragment && w->version == 6) {
		if (len < 48)
			return "fragment header is cut";
		w->proto = ip[40];
		header = 48;
	}
	if ((w->version != 4 && w->version != 6) || header < 20 || total < header || total > len)
		return "IP length or version is wrong";
	if (w->version == 4 && !sum_right(add(0, ip, header)))
		return "IP header checksum is wrong";
	*ip_len = total;
	bytes = w->version == 4 ? 4 : 16;
	memcpy(w->addr[0], ip + (w->version == 4 ? 12 : 8), bytes);
	memcpy(w->addr[1], ip + (w->version == 4 ? 16 : 24), bytes);
	if (w->fragment) {
		w->payload = ip + header;
		w->payload_len = total - header;
		return NULL;
	}
	pseudo = add(w->proto + (uint32_t)(total - header), w->addr[0], bytes);
	return read_transport(w, ip + header, total - header, add(pseudo, w->addr[1], bytes));
}

static const char *read_frame(struct wire *w, unsigned int link, const uint8_t *frame, size_t len)
{
	size_t at = 0, ip_len = 0;
	long ppp_len = -1;
	const char *why = NULL;

	if (link == KD_LINK_ETHERNET)
		why = skip_ethernet(frame, len, &at, &ppp_len);
	else if (link != KD_LINK_RAW)
		at = link == KD_LINK_SLL ? 16 : link == KD_LINK_SLL2 ? 20 : 4;
	if (why != NULL)
		return why;
	if (at > len)
		return "link header is cut";
	w->link_len = at;
	why = read_ip(w, frame + at, len - at, &ip_len);
	if (ip_len != 0) {
		w->trailer = frame + at + ip_len;
		w->trailer_len = len - at - ip_len;
	}
	if (why == NULL && ppp_len >= 0 && (size_t)ppp_len != ip_len)
		why = "PPPoE length is not the datagram's";
	return why;
}

void wire_read(struct wire *w, unsigned int link, const uint8_t *frame, size_t len)
{
	memset(w, 0, sizeof(*w));
	w->wrong = read_frame(w, link, frame, len);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `fragments=3 send=3,1,2 ttls=64,10,10 ipid=7`: the packet of a step as IP fragments, which of them are sent
 * and in what order, each with a TTL of its own. They are as equal as eight-byte units allow, or cut where
 * `fragment_at=24,sni` says.
 */
#include "scn.h"

#include <stdlib.h>
#include <string.h>

static void put16(uint8_t *p, unsigned int v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static bool list(const char *v, uint64_t max, uint8_t *to, unsigned int *n)
{
	for (*n = 0; *n < SCN_FRAGMENTS; v++) {
		char *end;
		unsigned long long x = strtoull(v, &end, 10);

		if (end == v || x == 0 || x > max)
			return false;
		to[(*n)++] = (uint8_t)x;
		v = end;
		if (*v == '\0')
			return true;
		if (*v != ',')
			return false;
	}
	return false;
}

/* "24,sni": ascending multiples of 8; where the name lies is seen when it is cut. */
static bool places(struct scn_fragments *f, const char *v)
{
	for (f->nat = 0; f->nat + 1 < SCN_FRAGMENTS; v++) {
		char *end;
		unsigned long long x = strtoull(v, &end, 10);

		if (strncmp(v, "sni", 3) == 0)
			end += 3;
		else if (end == v || x == 0 || x > 65528 || x % 8 != 0)
			return false;
		f->at[f->nat++] = (uint16_t)x;
		f->count = f->nat + 1;
		v = end;
		if (*v == '\0')
			return true;
		if (*v != ',')
			return false;
	}
	return false;
}

int scn_fragment_option(struct scn_fragments *f, const char *word)
{
	const char *v;
	uint64_t n;

	if ((v = scn_after(word, "fragment_at=")) != NULL)
		return f->count == 0 && places(f, v) ? 1 : -1;
	if ((v = scn_after(word, "fragments=")) != NULL) {
		/* Once: what else is said of fragments was held against this number. */
		if (f->count != 0 || !scn_u64(v, SCN_FRAGMENTS, &n) || n < 2)
			return -1;
		f->count = (unsigned int)n;
		return 1;
	}
	if ((v = scn_after(word, "send=")) != NULL)
		return f->count != 0 && list(v, f->count, f->send, &f->nsend) ? 1 : -1;
	if ((v = scn_after(word, "ttls=")) != NULL)
		return list(v, 255, f->ttl, &f->nttl) && f->nttl == f->count ? 1 : -1;
	if ((v = scn_after(word, "ipid=")) != NULL) {
		f->has_id = scn_u64(v, 65535, &n);
		f->id = (uint16_t)n;
		return f->has_id ? 1 : -1;
	}
	return 0;
}

/* RFC 1071 over an IPv4 header without options. */
static void sum_header(uint8_t *ip)
{
	uint32_t s = 0;

	put16(ip + 10, 0);
	for (unsigned int i = 0; i < 20; i += 2)
		s += (uint32_t)ip[i] << 8 | ip[i + 1];
	while (s >> 16 != 0)
		s = (s & 0xffff) + (s >> 16);
	put16(ip + 10, ~s & 0xffff);
}

/* Writes the IP header of bytes [from, to) of the whole packet's `ip`; returns its length. */
static size_t put_header(
	uint8_t *out, const uint8_t *ip, unsigned int id, size_t from, size_t to, bool last, uint8_t ttl)
{
	if (ip[0] >> 4 == 4) {
		memcpy(out, ip, 20);
		put16(out + 2, (unsigned int)(20 + to - from));
		put16(out + 4, id);
		put16(out + 6, (last ? 0 : 0x2000u) | (unsigned int)from / 8);
		out[8] = ttl;
		sum_header(out);
		return 20;
	}
	memcpy(out, ip, 40);
	put16(out + 4, (unsigned int)(8 + to - from));
	out[6] = 44;
	out[7] = ttl;
	memset(out + 40, 0, 8);
	out[40] = ip[6];
	put16(out + 42, (unsigned int)from | (last ? 0 : 1));
	put16(out + 46, id);
	return 48;
}

/* Where each fragment ends; false: nothing is left of one. */
static bool ends(const struct scn_fragments *f, size_t len, size_t name_at, size_t end[SCN_FRAGMENTS])
{
	size_t from = 0;

	for (unsigned int i = 0; i < f->count; i++) {
		if (i + 1 == f->count)
			end[i] = len;
		else if (f->nat == 0)
			end[i] = (len + 7) / 8 * (i + 1) / f->count * 8;
		else
			end[i] = f->at[i] != SCN_AT_NAME ? f->at[i] : name_at / 8 * 8;
		if (end[i] <= from || end[i] > len)
			return false;
		from = end[i];
	}
	return true;
}

static void send_one(struct scn *s, const struct scn_packet *whole, const uint8_t *ip,
	const size_t end[SCN_FRAGMENTS], const struct scn_fragments *f, unsigned int nth)
{
	const struct scn_flow *flow = &s->flows[whole->flow];
	size_t from = nth > 0 ? end[nth - 1] : 0, to = end[nth], header, link;
	bool last = nth + 1 == f->count;
	unsigned int id = f->has_id ? f->id : (unsigned int)flow->ip_id[whole->side];
	struct scn_packet *p = scn_grow((void **)&s->packets, &s->npackets, sizeof(*s->packets));

	*p = *whole;
	if (f->nttl != 0)
		p->ttl = f->ttl[nth];
	header = ip[0] >> 4 == 4 ? 20 : 48;
	p->frame = scn_alloc(s, 64 + header + (to - from) + SCN_ETHERNET_MIN);
	link = scn_link_header(&s->link, p->side, flow->version, header + to - from, p->frame);
	put_header(p->frame + link, ip, id, from, to, last, p->ttl);
	memcpy(p->frame + link + header, ip + (ip[0] >> 4 == 4 ? 20 : 40) + from, to - from);
	p->len = (uint32_t)(link + header + to - from);
	if (s->link.kind == KD_LINK_ETHERNET && p->len < SCN_ETHERNET_MIN)
		p->len = SCN_ETHERNET_MIN;
}

const char *scn_fragment(struct scn *s, const struct scn_fragments *f, size_t name_at)
{
	struct scn_packet whole = s->packets[--s->npackets];
	struct scn_flow *flow = &s->flows[whole.flow];
	size_t end[SCN_FRAGMENTS];
	uint8_t ignored[64];
	const uint8_t *ip = whole.frame + scn_link_header(&s->link, whole.side, flow->version, 0, ignored);
	size_t len = flow->version == 4 ? (size_t)(ip[2] << 8 | ip[3]) - 20 : (size_t)(ip[4] << 8 | ip[5]);

	if (f->nat == 0 && (len + 7) / 8 < f->count)
		return "the packet is too short for so many fragments of 8 bytes at least";
	if (!ends(f, len, name_at, end))
		return "fragment_at= does not cut what is left";
	for (unsigned int i = 0; i < (f->nsend != 0 ? f->nsend : f->count); i++)
		send_one(s, &whole, ip, end, f, f->nsend != 0 ? f->send[i] - 1u : i);
	flow->ip_id[whole.side]++;
	return NULL;
}

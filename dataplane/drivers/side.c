/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Judges which side a captured packet came from, by the rules in side.h. Never looks at payload and never
 * changes its mind about a flow; out of memory it judges each packet by its sender and forgets.
 */
#include "drivers/side.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "engine/engine.h"
#include "engine/rng.h"

#define FLOWS_FIRST 1024 /* a power of two */

struct net {
	uint8_t addr[16];
	uint8_t ip_version, bits;
};

/* A flow without direction: the lower (address, port) first. */
struct flow {
	uint8_t low[16], high[16]; /* IPv4 in the first four bytes */
	uint16_t low_port, high_port;
	uint8_t ip_version, ip_proto;
	bool low_inside; /* not part of the key */
	bool used;
};

struct kd_side_judge {
	uint64_t count[KD_SIDE_RULE_COUNT];
	struct flow *flows; /* open addressing, NULL until the first */
	size_t room, used;
	size_t nnets;
	struct net nets[];
};

/* Kept by its users from the internet: RFC 1918, 6598, 3927, 2544, 1122; RFC 4193, 4291, 5180. */
static const struct net lab_nets[] = {
	{{10}, 4, 8},
	{{172, 16}, 4, 12},
	{{192, 168}, 4, 16},
	{{100, 64}, 4, 10},
	{{169, 254}, 4, 16},
	{{198, 18}, 4, 15},
	{{127}, 4, 8},
	{{0xfc}, 6, 7},
	{{0xfe, 0x80}, 6, 10},
	{{0x20, 0x01, 0, 0x02}, 6, 48},
	{{[15] = 1}, 6, 128},
};

/* Documentation: RFC 5737, 3849. */
static const struct net doc_nets[] = {
	{{192, 0, 2}, 4, 24},
	{{198, 51, 100}, 4, 24},
	{{203, 0, 113}, 4, 24},
	{{0x20, 0x01, 0x0d, 0xb8}, 6, 32},
};

static bool net_has(const struct net *net, const uint8_t *addr, uint8_t ip_version)
{
	unsigned int whole = net->bits / 8;
	unsigned int rest = net->bits % 8;

	if (net->ip_version != ip_version || memcmp(net->addr, addr, whole) != 0)
		return false;
	return rest == 0 || ((net->addr[whole] ^ addr[whole]) & (0xff00 >> rest & 0xff)) == 0;
}

static bool nets_have(const struct net *nets, size_t n, const uint8_t *addr, uint8_t ip_version)
{
	for (size_t i = 0; i < n; i++) {
		if (net_has(&nets[i], addr, ip_version))
			return true;
	}
	return false;
}

/* One piece of the list, len long. */
static bool net_parse(struct net *net, const char *piece, size_t len)
{
	char text[INET6_ADDRSTRLEN + 4];
	unsigned int bits = 0;
	char *slash;

	if (len >= sizeof(text))
		return false;
	memcpy(text, piece, len);
	text[len] = '\0';
	slash = strchr(text, '/');
	if (slash != NULL)
		*slash++ = '\0';
	*net = (struct net){.ip_version = 4};
	if (inet_pton(AF_INET, text, net->addr) != 1) {
		net->ip_version = 6;
		if (inet_pton(AF_INET6, text, net->addr) != 1)
			return false;
	}
	net->bits = net->ip_version == 4 ? 32 : 128;
	if (slash == NULL)
		return true;
	if (*slash == '\0' || strlen(slash) > 3 || strspn(slash, "0123456789") != strlen(slash))
		return false;
	for (; *slash != '\0'; slash++)
		bits = bits * 10 + (unsigned int)(*slash - '0');
	if (bits > net->bits)
		return false;
	net->bits = (uint8_t)bits;
	return true;
}

int kd_side_new(struct kd_side_judge **ret, const char *nets, const char **bad)
{
	struct kd_side_judge *j;
	size_t n = nets != NULL;

	for (const char *p = nets; p != NULL && *p != '\0'; p++)
		n += *p == ',';
	j = calloc(1, sizeof(*j) + n * sizeof(j->nets[0]));
	if (j == NULL)
		return -ENOMEM;
	for (const char *piece = nets; piece != NULL;) {
		size_t len = strcspn(piece, ",");

		if (!net_parse(&j->nets[j->nnets], piece, len)) {
			free(j);
			*bad = piece;
			return -EINVAL;
		}
		j->nnets++;
		piece = piece[len] == ',' ? piece + len + 1 : NULL;
	}
	*ret = j;
	return 0;
}

void kd_side_free(struct kd_side_judge *j)
{
	if (j == NULL)
		return;
	free(j->flows);
	free(j);
}

/* Rules 2 and 3: true when exactly one of the endpoints lies in the nets, with the side of the source. */
static bool by_nets(const struct net *nets, size_t n, const struct kd_view *v, unsigned int *ret_side)
{
	bool src = nets_have(nets, n, v->src, v->ip_version);
	bool dst = nets_have(nets, n, v->dst, v->ip_version);

	if (src == dst)
		return false;
	*ret_side = src ? KD_INSIDE : KD_OUTSIDE;
	return true;
}

static bool by_private(const struct kd_view *v, unsigned int *ret_side)
{
	const size_t nlab = sizeof(lab_nets) / sizeof(lab_nets[0]);

	if (by_nets(lab_nets, nlab, v, ret_side))
		return true;
	if (nets_have(lab_nets, nlab, v->src, v->ip_version)) /* then so is the destination */
		return false;
	return by_nets(doc_nets, sizeof(doc_nets) / sizeof(doc_nets[0]), v, ret_side);
}

static uint64_t flow_hash(const struct flow *key)
{
	uint64_t w[5];
	uint64_t h;

	memcpy(w, key->low, 16);
	memcpy(w + 2, key->high, 16);
	w[4] = (uint64_t)key->low_port << 32 | (uint64_t)key->high_port << 16 |
	       (uint64_t)key->ip_version << 8 | key->ip_proto;
	h = kd_mix(w[0], w[1]);
	h = kd_mix(h ^ w[2], w[3]);
	return kd_mix(h, w[4]);
}

static bool flow_same(const struct flow *a, const struct flow *b)
{
	return a->low_port == b->low_port && a->high_port == b->high_port && a->ip_version == b->ip_version &&
	       a->ip_proto == b->ip_proto && memcmp(a->low, b->low, 16) == 0 &&
	       memcmp(a->high, b->high, 16) == 0;
}

/* The flow's place, or the free one where it would be. There always is one: the table is never full. */
static struct flow *flow_place(struct flow *flows, size_t room, const struct flow *key)
{
	size_t at = flow_hash(key) & (room - 1);

	while (flows[at].used && !flow_same(&flows[at], key))
		at = (at + 1) & (room - 1);
	return &flows[at];
}

static int flows_grow(struct kd_side_judge *j)
{
	size_t room = j->room == 0 ? FLOWS_FIRST : j->room * 2;
	struct flow *flows = calloc(room, sizeof(*flows));

	if (flows == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < j->room; i++) {
		if (j->flows[i].used)
			*flow_place(flows, room, &j->flows[i]) = j->flows[i];
	}
	free(j->flows);
	j->flows = flows;
	j->room = room;
	return 0;
}

static const struct flow *flow_find(const struct kd_side_judge *j, const struct flow *key)
{
	const struct flow *f;

	if (j->room == 0)
		return NULL;
	f = flow_place(j->flows, j->room, key);
	return f->used ? f : NULL;
}

static void flow_remember(struct kd_side_judge *j, const struct flow *flow)
{
	struct flow *f;

	if ((j->used + 1) * 4 > j->room * 3 && flows_grow(j) < 0)
		return;
	f = flow_place(j->flows, j->room, flow);
	if (f->used)
		return;
	*f = *flow;
	f->used = true;
	j->used++;
}

/* The packet's flow key; whether its source is the low end. */
static bool flow_key(struct flow *key, const struct kd_view *v, bool ports)
{
	size_t len = v->ip_version == 4 ? 4 : 16;
	uint16_t sport = ports ? v->sport : 0;
	uint16_t dport = ports ? v->dport : 0;
	int order = memcmp(v->src, v->dst, len);
	bool src_low = order < 0 || (order == 0 && sport <= dport);

	*key = (struct flow){.ip_version = v->ip_version, .ip_proto = v->ip_proto};
	memcpy(src_low ? key->low : key->high, v->src, len);
	memcpy(src_low ? key->high : key->low, v->dst, len);
	key->low_port = src_low ? sport : dport;
	key->high_port = src_low ? dport : sport;
	return src_low;
}

/* Rule 4. */
static unsigned int by_first(struct kd_side_judge *j, const struct kd_view *v)
{
	bool tcp = v->ip_proto == KD_PROTO_TCP;
	bool ports = v->reason == 0 && !v->fragment && (tcp || v->ip_proto == KD_PROTO_UDP);
	bool answer = ports && tcp && (v->tcp_flags & (KD_TCP_SYN | KD_TCP_ACK)) == (KD_TCP_SYN | KD_TCP_ACK);
	struct flow key, pair;
	const struct flow *known;
	bool src_low = flow_key(&key, v, ports);

	known = flow_find(j, &key);
	if (known != NULL)
		return known->low_inside == src_low ? KD_INSIDE : KD_OUTSIDE;
	key.low_inside = answer ? !src_low : src_low;
	flow_remember(j, &key);
	if (ports) {
		bool pair_src_low = flow_key(&pair, v, false);

		pair.low_inside = answer ? !pair_src_low : pair_src_low;
		flow_remember(j, &pair);
	}
	return answer ? KD_OUTSIDE : KD_INSIDE;
}

/* Rule 1. */
static bool by_interface(const struct kd_capture *c, const struct kd_captured *pkt, unsigned int *ret_side)
{
	bool inside = strcmp(pkt->if_name, "inside") == 0;
	bool leaving = pkt->direction == KD_DIR_OUTBOUND;

	if (!kd_capture_is_kordon(c) || (!inside && strcmp(pkt->if_name, "outside") != 0))
		return false;
	*ret_side = inside != leaving ? KD_INSIDE : KD_OUTSIDE;
	return true;
}

unsigned int kd_side_of(struct kd_side_judge *j, const struct kd_capture *c, const struct kd_captured *pkt,
	const struct kd_view *view)
{
	enum kd_side_rule rule;
	unsigned int side;

	if (by_interface(c, pkt, &side)) {
		rule = KD_SIDE_BY_INTERFACE;
	} else if (view->ip_version == 0) {
		return KD_INSIDE;
	} else if (by_nets(j->nets, j->nnets, view, &side)) {
		rule = KD_SIDE_BY_NET;
	} else if (by_private(view, &side)) {
		rule = KD_SIDE_BY_PRIVATE;
	} else {
		rule = KD_SIDE_BY_FIRST;
		side = by_first(j, view);
	}
	j->count[rule]++;
	return side;
}

uint64_t kd_side_count(const struct kd_side_judge *j, enum kd_side_rule rule)
{
	return j->count[rule];
}

const char *kd_side_rule_name(enum kd_side_rule rule)
{
	static const char *const name[KD_SIDE_RULE_COUNT] = {
		[KD_SIDE_BY_INTERFACE] = "interface",
		[KD_SIDE_BY_NET] = "inside-net",
		[KD_SIDE_BY_PRIVATE] = "private",
		[KD_SIDE_BY_FIRST] = "first-packet",
	};

	return name[rule];
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who was asked, of what was redirected: a bounded table of questions by (client, target, DNS id), so that an
 * answer of the target finds the flow of the question. An entry lives until a moment of packet time, swept or
 * not, and one is refused only when all places hold living ones: what the table answers depends on nothing
 * but what was put into it and the time. Whether a packet is redirected is its rule's; ICMP errors about what
 * was redirected are not turned back.
 */
#ifndef KD_NAT_H
#define KD_NAT_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/flow.h"

/* Addresses of IPv4 are the first 4 bytes, the rest is 0. */
struct kd_nat_key {
	uint8_t client[16], target[16];
	uint16_t client_port, port;
	uint16_t id;
	uint8_t v6, spare;
};

struct kd_nat_entry {
	struct kd_nat_key key;
	uint8_t asked[16];
	uint64_t until_ns;
	uint32_t next; /* in its chain, or among the free */
	bool answered;
};

struct kd_nat {
	uint64_t over_ns;	   /* no entry lives from then on; 0 = none was put */
	struct kd_nat_entry *slot; /* [1..max] */
	uint32_t *chain;	   /* by hash; the latest question first */
	uint32_t max, mask, top, free;
	uint32_t scan;	       /* where the next look for a dead one begins */
	uint64_t none_dies_ns; /* all of a full table live until then */
	uint64_t seed;
	struct kd_flow_key turned; /* of the packet in hand, when it is an answer */
};

/* For at most `max` questions. -EINVAL: max is 0 or over 2^22; -ENOMEM. */
int kd_nat_init(struct kd_nat *n, uint32_t max, uint64_t seed);
void kd_nat_free(struct kd_nat *n);
/* Empties it; costs what was used. */
void kd_nat_reset(struct kd_nat *n);

/* A question that was put to `asked` (16 bytes). The same once more waits for an answer again. False: no
 * room. */
bool kd_nat_ask(struct kd_nat *n, const struct kd_nat_key *key, const uint8_t *asked, uint64_t until_ns,
	uint64_t now_ns);
/* Whose answer it is: of several that were asked the same, the first that has none yet, else the one asked
 * last; NULL: nobody's. */
struct kd_nat_entry *kd_nat_find(const struct kd_nat *n, const struct kd_nat_key *key, uint64_t now_ns);

#endif

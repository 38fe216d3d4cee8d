/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Flows: buckets of signatures that point at entries. A decided IPv4 flow is one 64-byte line with its
 * mechanism's state inside, an IPv6 flow two. Buckets chain, so up to the stated capacity every insert
 * succeeds whatever the addresses; beyond it an insert is refused by name. Keys are (inside, outside) pairs,
 * so both directions of a flow meet without a sort; the whole key is always compared.
 */
#ifndef KD_FLOW_H
#define KD_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/mechanism.h"
#include "engine/pool.h"

/* struct kd_flow.flags */
#define KD_FLOW_DECIDED 0x01 /* no more inspection */
#define KD_FLOW_ACTING 0x02  /* `rule` has hold of it */
#define KD_FLOW_BIT 0x04     /* a mechanism changed something at least once */
#define KD_FLOW_HURT 0x08    /* a packet was dropped, altered or held back */
#define KD_FLOW_FORGED 0x10  /* a forged end of the connection went out */
#define KD_FLOW_CLOSED                                                                                       \
	0x20 /* FIN or RST seen: only a new SYN cares (X-THR-2021: FIN and RST clear no state) */
#define KD_FLOW_TAIL(side) (0x40u << (side)) /* the last awaited packet of that side was not delivered */

/* struct kd_flow.open.said: what has been told once */
#define KD_SAID_COULD_NOT_ACT 0x01
#define KD_SAID_PENDING 0x02
#define KD_SAID_GAVE_UP(side) (0x04u << (side))	   /* told to an observer only */
#define KD_SAID_TWO_THINGS(side) (0x40u << (side)) /* of one byte: that side is not put together any more */

/* struct kd_flow.open.track */
#define KD_TRACK_GATHERS(side) (0x01u << (side)) /* bytes of that side are put together */
#define KD_TRACK_STARTED(side) (0x04u << (side)) /* what that side began with was read and was nothing */
#define KD_TRACK_SYN 0x10			 /* a SYN opened it: nonce is its number */
#define KD_TRACK_KNOWN(side) (0x40u << (side))	 /* that side said something known */
#define KD_TRACK_REMOTE_SYN 0x20		 /* the other side sent a SYN of its own */

enum kd_hold {
	KD_HOLD_ACTS,
	KD_HOLD_BANNED,	      /* not by a trigger of its own: its rule acts on all its bytes */
	KD_HOLD_WAITS,	      /* its rule does not act yet: state is wait.c's */
	KD_HOLD_WAITS_LIFTED, /* nor do the roles hold, which `open` no longer says */
};

struct kd_flow {
	uint32_t addr[2]; /* by enum kd_side; IPv4, or folds of kd_flow6.addr */
	uint16_t port[2];
	uint32_t nonce;		    /* opener's ISN, or a hash of the first UDP payload */
	uint64_t last_ns : 62;	    /* since 1970: good until 2116 */
	uint64_t hold : 2;	    /* enum kd_hold, while a rule has hold of it */
	uint64_t bytes_inside : 40; /* 1 TB, then they stand still; so do the packets below */
	uint64_t rule : 14;	    /* that has or had hold of it, or only matched */
	uint64_t proto : 8;
	uint64_t opened : 1;
	uint64_t v6 : 1;
	uint64_t bytes_outside : 40;
	uint64_t reason : 10; /* of the last thing that was done to it, else of the last decision */
	uint64_t flags : 8;
	uint64_t app : 6; /* protocol index + 1; 0 = none recognised */
	uint32_t pkts[2]; /* on entry, by side; 0 and 0 = a free entry */
	union {
		struct {
			uint16_t looked_at[2]; /* payload packets inspected, by side */
			uint8_t closed;	       /* bit per enum kd_phase that an allow has closed */
			uint8_t said;	       /* KD_SAID_* */
			uint8_t knobs;	       /* set of knobs; 0 = not resolved yet */
			uint8_t track;	       /* KD_TRACK_* */
			uint64_t seen;	       /* bit per rule that matched and that somebody asks for */
		} open;			       /* gone once a rule has hold of the flow */
		struct {
			uint64_t until_ns; /* 0 = as long as the flow lives */
			uint8_t state[KD_MECH_STATE];
		} held;
	};
};

struct kd_flow6 {
	struct kd_flow flow;
	uint8_t addr[2][16];
	uint8_t spare[32];
};

_Static_assert(sizeof(struct kd_flow) == 64, "a decided IPv4 flow is one cache line");
_Static_assert(sizeof(struct kd_flow6) == 128, "a decided IPv6 flow is two");
_Static_assert(KD_REASON_COUNT < 1 << 10, "struct kd_flow.reason");
_Static_assert(KD_PROTOCOL_COUNT < 1 << 6, "struct kd_flow.app, kd_offers");

/* Says why a flow is as it is. What was done to it outlives what is merely found out later. */
static inline void kd_flow_note(struct kd_flow *f, uint16_t reason)
{
	if ((f->flags & KD_FLOW_BIT) == 0)
		f->reason = reason;
}

/* Says how near the box came to recognising it: the first thing that looked like something stays, so that a
 * hello in two segments is told as that and not as whatever the server said later. A fake is nothing yet. */
static inline void kd_flow_note_nearest(struct kd_flow *f, uint16_t reason)
{
	if (f->reason == KD_REASON_FLOW_NO_PAYLOAD || f->reason == KD_REASON_CLASSIFY_UNKNOWN ||
		(f->reason >= KD_REASON_FAKE_CHECKSUM && f->reason <= KD_REASON_FAKE_NAME_LENGTH))
		kd_flow_note(f, reason);
}

/* A rule has hold of it and does not act yet; asked of such flows only. */
static inline bool kd_flow_waits(const struct kd_flow *f)
{
	return f->hold >= KD_HOLD_WAITS;
}

#define KD_BUCKET_SLOTS 10

struct kd_bucket {
	uint16_t sig[KD_BUCKET_SLOTS];
	uint32_t at[KD_BUCKET_SLOTS]; /* entry: KD_AT_V6 + index from 1; 0 = empty */
	uint32_t next;		      /* overflow bucket, index from 1 */
};

_Static_assert(sizeof(struct kd_bucket) == 64, "a bucket is one cache line");

#define KD_AT_V6 0x80000000u

struct kd_flow_key {
	const uint8_t *addr[2]; /* by side, in place: 4 or 16 bytes */
	uint16_t port[2];
	uint8_t proto;
	bool v6;
	uint64_t hash;
};

struct kd_flow_pool {
	void *entries;	   /* [0] unused */
	uint32_t max, top; /* entries [1..top] were ever used */
	uint32_t free;	   /* chain of freed ones through addr[0] */
	uint32_t live;
	struct kd_search search;
};

struct kd_flow_table {
	struct kd_bucket *buckets; /* primary, then overflow */
	uint32_t mask;		   /* primary buckets - 1 */
	uint32_t spill_max, spill_top, spill_free;
	struct kd_flow_pool pool[2]; /* IPv4, IPv6 */
	uint64_t seed;
};

/* Sizes are entries; both at least 1. -ENOMEM, -EINVAL over 2^30. */
int kd_flow_table_init(struct kd_flow_table *t, uint32_t flows4_max, uint32_t flows6_max, uint64_t seed);
void kd_flow_table_free(struct kd_flow_table *t);
/* Empties it; costs what was used. */
void kd_flow_table_reset(struct kd_flow_table *t);

/* The key of a decoded packet that came from `side`, with its hash. */
void kd_flow_key(
	const struct kd_flow_table *t, struct kd_flow_key *k, const struct kd_view *v, unsigned int side);

/* The same of another address (4 or 16 bytes, which must stay) at that end. */
void kd_flow_key_turn(
	const struct kd_flow_table *t, struct kd_flow_key *k, unsigned int side, const uint8_t *addr);

static inline void kd_flow_prefetch(const struct kd_flow_table *t, const struct kd_flow_key *k)
{
	__builtin_prefetch(&t->buckets[k->hash & t->mask]);
}

/* The entry whose signature fits, prefetched, key not compared yet: a hint for kd_flow_find. */
uint32_t kd_flow_hint(const struct kd_flow_table *t, const struct kd_flow_key *k);

/* The flow of a key, or NULL. `hint` may be 0 or stale. */
struct kd_flow *kd_flow_find(const struct kd_flow_table *t, const struct kd_flow_key *k, uint32_t hint);
/* A new, zeroed flow with its key set; NULL when the pool is full. The key must not be in the table. */
struct kd_flow *kd_flow_insert(struct kd_flow_table *t, const struct kd_flow_key *k);
void kd_flow_remove(struct kd_flow_table *t, struct kd_flow *f);

/* Entry `index` (1..top) of a pool, live or not. */
static inline struct kd_flow *kd_flow_entry(const struct kd_flow_pool *p, unsigned int v6, uint32_t index)
{
	return (struct kd_flow *)((char *)p->entries + ((size_t)index << (6 + v6)));
}

static inline bool kd_flow_is_live(const struct kd_flow *f)
{
	return (f->pkts[0] | f->pkts[1]) != 0;
}

/* Full addresses of a flow's ends, 4 or 16 bytes. */
const uint8_t *kd_flow_addr(const struct kd_flow *f, unsigned int side);
/* A hash of the canonical 5-tuple for draws, the same in every engine. */
uint64_t kd_flow_who(const struct kd_flow *f);
/* The same of the node that balancing sends it to: both addresses and the IP protocol. */
uint64_t kd_flow_node(const struct kd_flow *f);

#endif

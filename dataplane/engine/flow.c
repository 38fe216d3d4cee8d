/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The flow table. Ten slots a bucket and one primary bucket per eight flows keep chains rare; overflow
 * buckets number a tenth of the capacity, which is enough even if every flow falls into one bucket, because
 * removal keeps chains dense. Nothing is allocated after kd_flow_table_init. It knows nothing of time:
 * engine/expire.c does.
 */
#include "engine/flow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <emmintrin.h>

#include "engine/rng.h"

#define FLOWS_LIMIT (1u << 30)
#define FLOWS_PER_BUCKET 8

static inline uint64_t load64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint32_t load32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static uint64_t hash_key(uint64_t seed, const struct kd_flow_key *k)
{
	uint64_t ports = (uint64_t)k->port[0] << 32 | (uint64_t)k->port[1] << 16 | k->proto;
	uint64_t h;

	if (!k->v6)
		return kd_mix(kd_mix(seed, (uint64_t)load32(k->addr[0]) << 32 | load32(k->addr[1])), ports);
	h = kd_mix(seed, load64(k->addr[0]));
	h = kd_mix(h, load64(k->addr[0] + 8));
	h = kd_mix(h, load64(k->addr[1]));
	h = kd_mix(h, load64(k->addr[1] + 8));
	return kd_mix(h, ports);
}

static inline uint16_t sig_of(uint64_t hash)
{
	return (uint16_t)(hash >> 48);
}

static uint32_t fold(const uint8_t *addr)
{
	return load32(addr) ^ load32(addr + 4) ^ load32(addr + 8) ^ load32(addr + 12);
}

void kd_flow_key(
	const struct kd_flow_table *t, struct kd_flow_key *k, const struct kd_view *v, unsigned int side)
{
	k->addr[side] = v->src;
	k->addr[side ^ 1] = v->dst;
	k->port[side] = v->sport;
	k->port[side ^ 1] = v->dport;
	k->proto = v->ip_proto;
	k->v6 = v->ip_version == 6;
	k->hash = hash_key(t->seed, k);
}

void kd_flow_key_turn(
	const struct kd_flow_table *t, struct kd_flow_key *k, unsigned int side, const uint8_t *addr)
{
	k->addr[side] = addr;
	k->hash = hash_key(t->seed, k);
}

static struct kd_flow *entry_at(const struct kd_flow_table *t, uint32_t at)
{
	unsigned int v6 = at >> 31;

	return kd_flow_entry(&t->pool[v6], v6, at & ~KD_AT_V6);
}

static bool same_key(const struct kd_flow *f, const struct kd_flow_key *k)
{
	const struct kd_flow6 *f6 = (const struct kd_flow6 *)f;

	if (f->port[0] != k->port[0] || f->port[1] != k->port[1] || f->proto != k->proto || f->v6 != k->v6)
		return false;
	if (!k->v6)
		return f->addr[0] == load32(k->addr[0]) && f->addr[1] == load32(k->addr[1]);
	return memcmp(f6->addr[0], k->addr[0], 16) == 0 && memcmp(f6->addr[1], k->addr[1], 16) == 0;
}

/*
 * One bit a slot with this signature, at twice the slot's number. Compared at once: which slot it is no
 * branch predictor guesses, and a wrong guess costs more than the whole look-up.
 */
static inline uint32_t slots_with(const struct kd_bucket *b, uint16_t sig)
{
	const __m128i want = _mm_set1_epi16((short)sig);
	__m128i first = _mm_load_si128((const __m128i *)b->sig);
	__m128i rest = _mm_cvtsi32_si128((int)(b->sig[8] | (uint32_t)b->sig[9] << 16));
	uint32_t low = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi16(first, want));
	uint32_t high = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi16(rest, want)) & 0xf;

	return (low | high << 16) & 0x55555555u;
}

uint32_t kd_flow_hint(const struct kd_flow_table *t, const struct kd_flow_key *k)
{
	const struct kd_bucket *b = &t->buckets[k->hash & t->mask];
	uint32_t slots = slots_with(b, sig_of(k->hash));
	const struct kd_flow *f;
	uint32_t at;

	if (slots == 0)
		return 0;
	at = b->at[(unsigned int)__builtin_ctz(slots) / 2];
	if (at == 0) /* a slot that was emptied */
		return 0;
	f = entry_at(t, at);
	__builtin_prefetch(f, 1);
	if ((at & KD_AT_V6) != 0)
		__builtin_prefetch(((const struct kd_flow6 *)f)->addr);
	return at;
}

struct kd_flow *kd_flow_find(const struct kd_flow_table *t, const struct kd_flow_key *k, uint32_t hint)
{
	const struct kd_bucket *b = &t->buckets[k->hash & t->mask];
	uint16_t sig = sig_of(k->hash);
	struct kd_flow *f;

	if (hint != 0) {
		f = entry_at(t, hint);
		if (kd_flow_is_live(f) && same_key(f, k))
			return f;
	}
	for (;;) {
		for (unsigned int i = 0; i < KD_BUCKET_SLOTS; i++) {
			if (b->sig[i] != sig || b->at[i] == 0)
				continue;
			f = entry_at(t, b->at[i]);
			if (same_key(f, k))
				return f;
		}
		if (b->next == 0)
			return NULL;
		b = &t->buckets[t->mask + b->next];
	}
}

static uint32_t pool_take(struct kd_flow_pool *p, unsigned int v6)
{
	uint32_t index = p->free;

	if (index != 0)
		p->free = kd_flow_entry(p, v6, index)->addr[0];
	else if (p->top < p->max)
		index = ++p->top;
	else
		return 0;
	p->live++;
	return index;
}

static uint32_t spill_take(struct kd_flow_table *t)
{
	uint32_t index = t->spill_free;

	if (index != 0)
		t->spill_free = t->buckets[t->mask + index].next;
	else if (t->spill_top < t->spill_max)
		index = ++t->spill_top;
	if (index != 0)
		memset(&t->buckets[t->mask + index], 0, sizeof(struct kd_bucket));
	return index;
}

/* Puts `at` into the first free slot of the chain. Chains are dense, so only the last bucket has room. */
static void chain_add(struct kd_flow_table *t, uint64_t hash, uint32_t at)
{
	struct kd_bucket *b = &t->buckets[hash & t->mask];

	while (b->next != 0)
		b = &t->buckets[t->mask + b->next];
	for (unsigned int i = 0; i < KD_BUCKET_SLOTS; i++) {
		if (b->at[i] == 0) {
			b->sig[i] = sig_of(hash);
			b->at[i] = at;
			return;
		}
	}
	b->next = spill_take(t); /* never 0: see the top of this file */
	b = &t->buckets[t->mask + b->next];
	b->sig[0] = sig_of(hash);
	b->at[0] = at;
}

struct kd_flow *kd_flow_insert(struct kd_flow_table *t, const struct kd_flow_key *k)
{
	unsigned int v6 = k->v6;
	struct kd_flow_pool *p = &t->pool[v6];
	uint32_t index = pool_take(p, v6);
	struct kd_flow *f;

	if (index == 0)
		return NULL;
	f = kd_flow_entry(p, v6, index);
	memset(f, 0, sizeof(*f));
	f->port[0] = k->port[0];
	f->port[1] = k->port[1];
	f->proto = k->proto;
	f->v6 = v6;
	for (unsigned int side = 0; side < 2; side++) {
		if (v6)
			memcpy(((struct kd_flow6 *)f)->addr[side], k->addr[side], 16);
		f->addr[side] = v6 ? fold(k->addr[side]) : load32(k->addr[side]);
	}
	chain_add(t, k->hash, index | (v6 ? KD_AT_V6 : 0));
	return f;
}

static void key_of(const struct kd_flow_table *t, const struct kd_flow *f, struct kd_flow_key *k)
{
	for (unsigned int side = 0; side < 2; side++) {
		k->addr[side] = kd_flow_addr(f, side);
		k->port[side] = f->port[side];
	}
	k->proto = f->proto;
	k->v6 = f->v6;
	k->hash = hash_key(t->seed, k);
}

/* Takes `at` out of its chain and moves the chain's last slot into the hole; an emptied overflow bucket is
 * freed. */
static void chain_remove(struct kd_flow_table *t, uint64_t hash, uint32_t at)
{
	struct kd_bucket *b = &t->buckets[hash & t->mask], *before = NULL, *hole = NULL;
	unsigned int slot = 0, last = KD_BUCKET_SLOTS;

	for (;;) {
		for (unsigned int i = 0; hole == NULL && i < KD_BUCKET_SLOTS; i++) {
			if (b->at[i] == at) {
				hole = b;
				slot = i;
			}
		}
		if (b->next == 0)
			break;
		before = b;
		b = &t->buckets[t->mask + b->next];
	}
	if (hole == NULL)
		return;
	while (last > 0 && b->at[last - 1] == 0)
		last--;
	hole->sig[slot] = b->sig[last - 1];
	hole->at[slot] = b->at[last - 1];
	b->at[last - 1] = 0;
	if (last == 1 && before != NULL) {
		b->next = t->spill_free;
		t->spill_free = before->next;
		before->next = 0;
	}
}

void kd_flow_remove(struct kd_flow_table *t, struct kd_flow *f)
{
	unsigned int v6 = f->v6;
	struct kd_flow_pool *p = &t->pool[v6];
	uint32_t index = (uint32_t)((size_t)((char *)f - (char *)p->entries) >> (6 + v6));
	struct kd_flow_key k;

	key_of(t, f, &k);
	chain_remove(t, k.hash, index | (v6 ? KD_AT_V6 : 0));
	f->pkts[0] = f->pkts[1] = 0;
	f->addr[0] = p->free;
	p->free = index;
	p->live--;
}

const uint8_t *kd_flow_addr(const struct kd_flow *f, unsigned int side)
{
	return f->v6 ? ((const struct kd_flow6 *)f)->addr[side] : (const uint8_t *)&f->addr[side];
}

static uint64_t hash_ends(const struct kd_flow *f, bool ports)
{
	struct kd_flow_key k;

	for (unsigned int side = 0; side < 2; side++) {
		k.addr[side] = kd_flow_addr(f, side);
		k.port[side] = ports ? f->port[side] : 0;
	}
	k.proto = f->proto;
	k.v6 = f->v6;
	return hash_key(0x2545f4914f6cdd1dull, &k);
}

uint64_t kd_flow_who(const struct kd_flow *f)
{
	return hash_ends(f, true);
}

uint64_t kd_flow_node(const struct kd_flow *f)
{
	return hash_ends(f, false);
}

static void *lines(size_t n, size_t size)
{
	void *p = NULL;

	/* Pages nobody touches stay with the kernel: entries are cleared as they are taken. */
	if (posix_memalign(&p, 64, n * size) != 0)
		return NULL;
	return p;
}

int kd_flow_table_init(struct kd_flow_table *t, uint32_t flows4_max, uint32_t flows6_max, uint64_t seed)
{
	uint64_t flows = (uint64_t)flows4_max + flows6_max;
	struct kd_flow_table n = {.seed = kd_mix(seed, KD_DRAW_TABLE), .mask = 0};
	uint32_t primary = 1;

	if (flows4_max == 0 || flows6_max == 0 || flows > FLOWS_LIMIT)
		return -EINVAL;
	while ((uint64_t)primary * FLOWS_PER_BUCKET < flows)
		primary *= 2;
	n.mask = primary - 1;
	n.spill_max = (uint32_t)(flows / KD_BUCKET_SLOTS + 1);
	n.pool[0].max = flows4_max;
	n.pool[1].max = flows6_max;
	n.buckets = lines((size_t)primary + n.spill_max, sizeof(struct kd_bucket));
	n.pool[0].entries = lines((size_t)flows4_max + 1, sizeof(struct kd_flow));
	n.pool[1].entries = lines((size_t)flows6_max + 1, sizeof(struct kd_flow6));
	if (n.buckets == NULL || n.pool[0].entries == NULL || n.pool[1].entries == NULL) {
		kd_flow_table_free(&n);
		return -ENOMEM;
	}
	memset(n.buckets, 0, (size_t)primary * sizeof(struct kd_bucket));
	*t = n;
	return 0;
}

void kd_flow_table_free(struct kd_flow_table *t)
{
	free(t->buckets);
	free(t->pool[0].entries);
	free(t->pool[1].entries);
	memset(t, 0, sizeof(*t));
}

void kd_flow_table_reset(struct kd_flow_table *t)
{
	struct kd_flow_key k;

	for (unsigned int v6 = 0; v6 < 2; v6++) {
		struct kd_flow_pool *p = &t->pool[v6];

		for (uint32_t i = 1; i <= p->top; i++) {
			struct kd_flow *f = kd_flow_entry(p, v6, i);

			if (!kd_flow_is_live(f))
				continue;
			key_of(t, f, &k);
			memset(&t->buckets[k.hash & t->mask], 0, sizeof(struct kd_bucket));
			f->pkts[0] = f->pkts[1] = 0;
		}
		p->top = p->free = p->live = 0;
		p->search = (struct kd_search){0};
	}
	t->spill_top = t->spill_free = 0;
}

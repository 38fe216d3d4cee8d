/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Decides which sets of plain names cover a host: one open-addressing table of 16-byte slots, a 64-bit
 * fingerprint per name, hashed from the right so that one pass over a host yields the fingerprint of each of
 * its label suffixes. A fingerprint that agrees is never believed: the text is compared. Wildcards inside
 * labels, keywords and regexes do not live here (patterns.h). The hash has a constant seed: lists are the
 * tester's own, nobody attacks the table.
 */
#include "rulebook/names.h"

#include "engine/rng.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define HOST_MAX 253 /* RFC 1035 in text form; a longer host is no name */
#define HASH_SEED 0x6b6f72646f6e0001ull
#define HASH_STEP 0x9fb21c651e98df25ull /* odd, half its bits set */

/* What a slot says of its name: a set and what of it, or in MANY the first node of several. */
#define VALUE_MANY 0x80000000u
#define NODE_NONE UINT32_MAX

struct slot {
	uint64_t print; /* 0 = empty */
	uint32_t text;	/* offset of a length byte and the lower-case name */
	uint32_t value; /* set << 2 | what, or VALUE_MANY | node */
};

/* Another set of a name. Chains run from the highest set down and share their tails, so that a million names
 * of the same lists have one chain. */
struct node {
	uint32_t value;
	uint32_t next;
};

struct kd_names {
	struct slot *slots;
	struct node *nodes;
	uint8_t *text;
	size_t nslots, nnodes, nodes_room, text_len;
	size_t count;
	bool borrowed; /* the arrays are a cache's */
};

/* While it is built: nodes by content, index + 1. */
struct chains {
	struct kd_names *names;
	uint32_t *index;
	size_t room;
};

/* Names in a row: set, what, length, text. */
struct kd_names_builder {
	uint8_t *bytes;
	size_t len, room;
	size_t count;
};

static inline uint8_t lower(uint8_t c)
{
	return (uint8_t)(c - 'A') < 26 ? c | 0x20 : c;
}

/* Takes one more byte, to the left. */
static inline uint64_t hash_step(uint64_t h, uint8_t c)
{
	return (h ^ c) * HASH_STEP;
}

static inline uint64_t hash_print(uint64_t h)
{
	uint64_t print = kd_mix(h, HASH_SEED);

	return print != 0 ? print : 1;
}

static inline size_t home(const struct kd_names *names, uint64_t print)
{
	return (size_t)((unsigned __int128)print * names->nslots >> 64);
}

/* The slot of a name, or the empty one where it would go. `text` is lower-case. */
static inline struct slot *find(const struct kd_names *names, uint64_t print, const uint8_t *text, size_t len)
{
	size_t at = home(names, print);

	for (;; at = at + 1 < names->nslots ? at + 1 : 0) {
		struct slot *s = &names->slots[at];

		if (s->print == 0)
			return s;
		if (s->print == print && names->text[s->text] == len &&
			memcmp(names->text + s->text + 1, text, len) == 0)
			return s;
	}
}

struct kd_names_builder *kd_names_builder_new(void)
{
	return calloc(1, sizeof(struct kd_names_builder));
}

int kd_names_add(
	struct kd_names_builder *b, const char *name, size_t len, unsigned int what, unsigned int set)
{
	uint8_t *at;

	if (len == 0 || len > KD_NAME_MAX || set == 0 || set >= KD_NAME_SETS)
		return -EINVAL;
	if (what == 0 || (what & ~(unsigned int)(KD_NAME_SELF | KD_NAME_BELOW)) != 0)
		return -EINVAL;
	if (b->room - b->len < len + 3) {
		size_t room = b->room == 0 ? 4096 : b->room * 2;

		if (room > UINT32_MAX) /* offsets have 32 bits */
			return -ENOMEM;
		at = realloc(b->bytes, room);
		if (at == NULL)
			return -ENOMEM;
		b->bytes = at;
		b->room = room;
	}
	at = b->bytes + b->len;
	*at++ = (uint8_t)set;
	*at++ = (uint8_t)what;
	*at++ = (uint8_t)len;
	for (size_t i = 0; i < len; i++)
		at[i] = lower((uint8_t)name[i]);
	b->len += len + 3;
	b->count++;
	return 0;
}

static uint32_t *chain_slot(const struct chains *c, uint32_t value, uint32_t next)
{
	size_t at = kd_mix(value, next) & (c->room - 1);

	for (;; at = (at + 1) & (c->room - 1)) {
		const struct node *n;

		if (c->index[at] == 0)
			return &c->index[at];
		n = &c->names->nodes[c->index[at] - 1];
		if (n->value == value && n->next == next)
			return &c->index[at];
	}
}

static int more_nodes(struct chains *c)
{
	struct kd_names *names = c->names;
	size_t room = names->nodes_room == 0 ? 64 : names->nodes_room * 2;
	struct node *nodes = realloc(names->nodes, room * sizeof(*nodes));
	uint32_t *index;

	if (nodes == NULL)
		return -ENOMEM;
	names->nodes = nodes;
	index = calloc(room * 2, sizeof(*index));
	if (index == NULL)
		return -ENOMEM;
	names->nodes_room = room;
	free(c->index);
	c->index = index;
	c->room = room * 2;
	for (uint32_t i = 0; i < names->nnodes; i++)
		*chain_slot(c, nodes[i].value, nodes[i].next) = i + 1;
	return 0;
}

/* The chain of value before next, which may be there already. */
static int link_node(struct chains *c, uint32_t value, uint32_t next, uint32_t *ret)
{
	struct kd_names *names = c->names;
	uint32_t *slot;

	if (names->nnodes == names->nodes_room && more_nodes(c) != 0)
		return -ENOMEM;
	slot = chain_slot(c, value, next);
	if (*slot == 0) {
		names->nodes[names->nnodes++] = (struct node){value, next};
		*slot = (uint32_t)names->nnodes;
	}
	*ret = *slot - 1;
	return 0;
}

/* *chain with one more (set, what). */
static int chain_add(struct chains *c, uint32_t *chain, uint32_t value)
{
	uint32_t above[KD_NAME_SETS], n = *chain;
	unsigned int nabove = 0;

	for (; n != NODE_NONE && c->names->nodes[n].value >> 2 > value >> 2; n = c->names->nodes[n].next)
		above[nabove++] = c->names->nodes[n].value;
	if (n != NODE_NONE && c->names->nodes[n].value >> 2 == value >> 2) {
		value |= c->names->nodes[n].value;
		n = c->names->nodes[n].next;
	}
	if (link_node(c, value, n, &n) != 0)
		return -ENOMEM;
	while (nabove > 0)
		if (link_node(c, above[--nabove], n, &n) != 0)
			return -ENOMEM;
	*chain = n;
	return 0;
}

/* Another (set, what) for a name that is there. */
static int merge(struct chains *c, struct slot *s, uint32_t value)
{
	uint32_t chain = NODE_NONE;

	if ((s->value & VALUE_MANY) != 0) {
		chain = s->value & ~VALUE_MANY;
	} else if (s->value >> 2 == value >> 2) {
		s->value |= value;
		return 0;
	} else if (chain_add(c, &chain, s->value) != 0) {
		return -ENOMEM;
	}
	if (chain_add(c, &chain, value) != 0)
		return -ENOMEM;
	s->value = VALUE_MANY | chain;
	return 0;
}

/*
 * Fills the table from the builder's row and packs the row into the text pool in place: the pool's end never
 * passes the row's reader, because a pool entry is two bytes shorter.
 */
static int fill(struct kd_names *names, struct chains *chains, size_t row_len)
{
	const uint8_t *row = names->text;

	while (row_len > 0) {
		uint32_t value = (uint32_t)row[0] << 2 | row[1];
		uint8_t len = row[2];
		uint64_t h = HASH_SEED, print;
		struct slot *s;

		row += 3;
		for (size_t i = len; i-- > 0;)
			h = hash_step(h, row[i]);
		print = hash_print(h);
		s = find(names, print, row, len);
		if (s->print != 0) {
			if (merge(chains, s, value) != 0)
				return -ENOMEM;
		} else {
			*s = (struct slot){print, (uint32_t)names->text_len, value};
			names->text[names->text_len] = len;
			memmove(names->text + names->text_len + 1, row, len);
			names->text_len += 1u + len;
			names->count++;
		}
		row += len;
		row_len -= 3u + len;
	}
	return 0;
}

/* A table for the names there are, not for the rows they came in. Without memory the wide one stays. */
static void narrow(struct kd_names *names)
{
	struct kd_names to = *names;

	to.nslots = 2 * names->count + 8;
	if (to.nslots >= names->nslots - names->nslots / 8)
		return;
	to.slots = calloc(to.nslots, sizeof(*to.slots));
	if (to.slots == NULL)
		return;
	for (size_t i = 0; i < names->nslots; i++) {
		size_t at = home(&to, names->slots[i].print);

		if (names->slots[i].print == 0)
			continue;
		while (to.slots[at].print != 0)
			at = at + 1 < to.nslots ? at + 1 : 0;
		to.slots[at] = names->slots[i];
	}
	free(names->slots);
	*names = to;
}

int kd_names_build(struct kd_names **ret, struct kd_names_builder *b)
{
	struct kd_names *names = calloc(1, sizeof(*names));
	struct chains chains = {.names = names};
	uint8_t *text;
	size_t row_len;

	if (names == NULL || b == NULL)
		goto fail;
	names->text = b->bytes;
	row_len = b->len;
	/* Load below a half: few probes for a name that is there, one or two for one that is not. */
	names->nslots = 2 * b->count + 8;
	free(b);
	b = NULL;
	names->slots = calloc(names->nslots, sizeof(*names->slots));
	if (names->slots == NULL || fill(names, &chains, row_len) != 0)
		goto fail;
	free(chains.index);
	narrow(names);
	if (names->text_len > 0) {
		text = realloc(names->text, names->text_len);
		if (text != NULL)
			names->text = text;
	}
	*ret = names;
	return 0;
fail:
	free(chains.index);
	if (b != NULL)
		free(b->bytes);
	free(b);
	kd_names_free(names);
	return -ENOMEM;
}

void kd_names_free(struct kd_names *names)
{
	if (names == NULL)
		return;
	if (!names->borrowed) {
		free(names->slots);
		free(names->nodes);
		free(names->text);
	}
	free(names);
}

void kd_names_freeze(const struct kd_names *names, struct kd_cache_part ret[KD_NAMES_PARTS])
{
	ret[0] = (struct kd_cache_part){&names->count, sizeof(names->count)};
	ret[1] = (struct kd_cache_part){names->slots, names->nslots * sizeof(*names->slots)};
	ret[2] = (struct kd_cache_part){names->nodes, names->nnodes * sizeof(*names->nodes)};
	ret[3] = (struct kd_cache_part){names->text, names->text_len};
}

int kd_names_thaw(struct kd_names **ret, const struct kd_cache_part parts[KD_NAMES_PARTS])
{
	struct kd_names *names;

	if (parts[0].len != sizeof(names->count) || parts[1].len == 0 ||
		parts[1].len % sizeof(struct slot) != 0 || parts[2].len % sizeof(struct node) != 0)
		return -EINVAL;
	names = calloc(1, sizeof(*names));
	if (names == NULL)
		return -ENOMEM;
	/* Nothing writes through these: what is borrowed is never built upon. */
	names->slots = (struct slot *)(uintptr_t)parts[1].bytes;
	names->nodes = (struct node *)(uintptr_t)parts[2].bytes;
	names->text = (uint8_t *)(uintptr_t)parts[3].bytes;
	memcpy(&names->count, parts[0].bytes, sizeof(names->count));
	names->nslots = parts[1].len / sizeof(struct slot);
	names->nnodes = names->nodes_room = parts[2].len / sizeof(struct node);
	names->text_len = parts[3].len;
	names->borrowed = true;
	*ret = names;
	return 0;
}

static void add_sets(const struct kd_names *names, uint32_t value, unsigned int what, struct kd_set_bits *out)
{
	uint32_t n;

	if ((value & VALUE_MANY) == 0) {
		if ((value & what) != 0)
			kd_set_bits_add(out, value >> 2);
		return;
	}
	for (n = value & ~VALUE_MANY; n != NODE_NONE; n = names->nodes[n].next)
		if ((names->nodes[n].value & what) != 0)
			kd_set_bits_add(out, names->nodes[n].value >> 2);
}

void kd_names_match(const struct kd_names *names, const uint8_t *host, size_t len, struct kd_set_bits *out)
{
	uint64_t print[HOST_MAX], h = HASH_SEED;
	uint8_t text[HOST_MAX], start[HOST_MAX];
	unsigned int n = 0;

	if (len == 0 || len > HOST_MAX)
		return;
	/* Every suffix is hashed and its slot fetched before the first one is looked at: the misses overlap.
	 */
	for (size_t i = len; i-- > 0;) {
		text[i] = lower(host[i]);
		if (text[i] == '.' && i + 1 < len && i > 0) { /* a name has something before its first dot */
			print[n] = hash_print(h);
			start[n] = (uint8_t)(i + 1);
			__builtin_prefetch(&names->slots[home(names, print[n])]);
			n++;
		}
		h = hash_step(h, text[i]);
	}
	print[n] = hash_print(h);
	start[n] = 0;
	for (unsigned int i = 0; i <= n; i++) {
		const struct slot *s = find(names, print[i], text + start[i], len - start[i]);

		if (s->print != 0)
			add_sets(names, s->value, start[i] == 0 ? KD_NAME_SELF : KD_NAME_BELOW, out);
	}
}

size_t kd_names_count(const struct kd_names *names)
{
	return names->count;
}

size_t kd_names_bytes(const struct kd_names *names)
{
	return sizeof(*names) + names->nslots * sizeof(*names->slots) +
	       names->nodes_room * sizeof(*names->nodes) + names->text_len;
}

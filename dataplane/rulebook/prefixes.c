/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Decides which sets of prefixes cover an address: a trie of six bits a step whose nodes hold two 64-bit
 * vectors, one of children and one of where a run of equal answers begins, so that popcount finds either in
 * packed arrays. What covers an address above a node is pushed down when the trie is built: the first answer
 * met is the whole answer. Six divides 24 and 48, where announced prefixes end, so an IPv4 look-up reads four
 * nodes of which the upper two are always in the cache. A lone IPv6 host costs 22 nodes, but they lie in a
 * row.
 *
 * Six bits from the very first: there is no wide root table, and a trie of three prefixes takes a few hundred
 * bytes, because a process may hold a thousand small policies.
 */
#include "rulebook/prefixes.h"

#include "engine/cursor.h"
#include "engine/rng.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define STRIDE 6
#define FANOUT (1u << STRIDE)
#define ANSWERS_MAX 65535

/* Addresses stand at the upper end of it, so that the top bits are always the next step. */
typedef unsigned __int128 bits128;

struct node {
	uint64_t children; /* bit i: step i goes on in nodes[first_child + bits set below i] */
	uint64_t runs;	   /* bit i: from step i on (children left out) another answer holds; bit 0 always */
	uint32_t first_child, first_run;
};

struct kd_prefixes {
	struct node *nodes;	  /* [0] IPv4, [1] IPv6 */
	uint16_t *answers;	  /* a run each: index into sets */
	struct kd_set_bits *sets; /* [0] is empty */
	size_t nnodes, nanswers, nsets;
	size_t nodes_room, answers_room, sets_room;
	size_t count;
	bool borrowed; /* the arrays are a cache's */
};

struct entry {
	uint64_t hi, lo; /* the address as bits128 */
	uint8_t bits;
	uint8_t set;
	bool v6;
};

struct kd_prefixes_builder {
	struct entry *entries;
	size_t count, room;
	/* While it builds: */
	struct kd_prefixes *p;
	uint16_t *index; /* sets by content: index into p->sets, 0 = empty slot */
	size_t index_room;
};

static bits128 load(const uint8_t *addr, bool v6)
{
	uint64_t hi = kd_get32(addr);

	if (!v6)
		return (bits128)hi << 96;
	return (bits128)(hi << 32 | kd_get32(addr + 4)) << 64 | (uint64_t)kd_get32(addr + 8) << 32 |
	       kd_get32(addr + 12);
}

static bits128 address_of(const struct entry *e)
{
	return (bits128)e->hi << 64 | e->lo;
}

/* Room for `more` elements behind `count`, doubled; NULL: no memory, and the array is as it was. */
static void *grown(void *array, size_t count, size_t more, size_t *room, size_t size)
{
	size_t want = *room != 0 ? *room : 4;

	while (want < count + more)
		want *= 2;
	if (want == *room)
		return array;
	array = reallocarray(array, want, size);
	if (array != NULL)
		*room = want;
	return array;
}

struct kd_prefixes_builder *kd_prefixes_builder_new(void)
{
	return calloc(1, sizeof(struct kd_prefixes_builder));
}

int kd_prefixes_add(
	struct kd_prefixes_builder *b, const uint8_t *addr, bool v6, unsigned int bits, unsigned int set)
{
	struct entry *entries;
	bits128 at;

	if (bits > (v6 ? 128u : 32u) || set == 0 || set >= KD_NAME_SETS)
		return -EINVAL;
	entries = grown(b->entries, b->count, 1, &b->room, sizeof(*entries));
	if (entries == NULL)
		return -ENOMEM;
	b->entries = entries;
	at = bits > 0 ? load(addr, v6) >> (128 - bits) << (128 - bits) : 0;
	entries[b->count++] = (struct entry){.hi = (uint64_t)(at >> 64),
		.lo = (uint64_t)at,
		.bits = (uint8_t)bits,
		.set = (uint8_t)set,
		.v6 = v6};
	return 0;
}

/* A prefix stands right before those it covers. */
static int by_place(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->v6 != y->v6)
		return x->v6 ? 1 : -1;
	if (x->hi != y->hi)
		return x->hi < y->hi ? -1 : 1;
	if (x->lo != y->lo)
		return x->lo < y->lo ? -1 : 1;
	if (x->bits != y->bits)
		return x->bits < y->bits ? -1 : 1;
	return (int)x->set - (int)y->set;
}

static uint16_t *index_slot(const struct kd_prefixes_builder *b, const struct kd_set_bits *sets)
{
	uint64_t h = 0;

	for (unsigned int i = 0; i < KD_NAME_SETS / 64; i++)
		h = kd_mix(h, sets->word[i]);
	for (size_t at = h & (b->index_room - 1);; at = (at + 1) & (b->index_room - 1))
		if (b->index[at] == 0 || memcmp(&b->p->sets[b->index[at]], sets, sizeof(*sets)) == 0)
			return &b->index[at];
}

static int index_grow(struct kd_prefixes_builder *b)
{
	size_t room = b->index_room != 0 ? b->index_room * 4 : 64;
	uint16_t *index = calloc(room, sizeof(*index));

	if (index == NULL)
		return -ENOMEM;
	free(b->index);
	b->index = index;
	b->index_room = room;
	for (size_t i = 1; i < b->p->nsets; i++)
		*index_slot(b, &b->p->sets[i]) = (uint16_t)i;
	return 0;
}

/* *answer and one set more; a combination is kept once. */
static int add_set(struct kd_prefixes_builder *b, uint16_t *answer, unsigned int set)
{
	struct kd_prefixes *p = b->p;
	struct kd_set_bits sets = p->sets[*answer], *bigger;
	uint16_t *slot;

	if (kd_set_bits_has(&sets, set))
		return 0;
	kd_set_bits_add(&sets, set);
	if (p->nsets * 2 >= b->index_room && index_grow(b) < 0)
		return -ENOMEM;
	slot = index_slot(b, &sets);
	if (*slot == 0) {
		if (p->nsets > ANSWERS_MAX)
			return -E2BIG;
		bigger = grown(p->sets, p->nsets, 1, &p->sets_room, sizeof(sets));
		if (bigger == NULL)
			return -ENOMEM;
		p->sets = bigger;
		p->sets[p->nsets] = sets;
		*slot = (uint16_t)p->nsets++;
	}
	*answer = *slot;
	return 0;
}

static int new_nodes(struct kd_prefixes *p, unsigned int n, uint32_t *first)
{
	struct node *nodes;

	if (p->nnodes + n > UINT32_MAX)
		return -ENOMEM;
	nodes = grown(p->nodes, p->nnodes, n, &p->nodes_room, sizeof(*nodes));
	if (nodes == NULL)
		return -ENOMEM;
	p->nodes = nodes;
	*first = (uint32_t)p->nnodes;
	p->nnodes += n;
	return 0;
}

/* Packs the answers of the steps without a child. */
static int put_runs(struct kd_prefixes *p, struct node *node, const uint16_t answer[FANOUT])
{
	uint16_t *answers = grown(p->answers, p->nanswers, FANOUT, &p->answers_room, sizeof(*answers));
	bool any = false;

	if (answers == NULL || p->nanswers + FANOUT > UINT32_MAX)
		return -ENOMEM;
	p->answers = answers;
	node->first_run = (uint32_t)p->nanswers;
	for (unsigned int i = 0; i < FANOUT; i++) {
		if ((node->children >> i & 1) != 0 || (any && answers[p->nanswers - 1] == answer[i]))
			continue;
		/* The first run may begin at 0, for nobody asks about the children before it. */
		node->runs |= any ? 1ull << i : 1;
		any = true;
		answers[p->nanswers++] = answer[i];
	}
	return 0;
}

static unsigned int step_at(const struct entry *e, unsigned int depth)
{
	return (unsigned int)(address_of(e) << depth >> (128 - STRIDE));
}

/* The steps that prefixes ending in this node cover, on top of what came from above. */
static int fill_answers(struct kd_prefixes_builder *b, const struct entry *e, size_t n, unsigned int depth,
	uint16_t answer[FANOUT])
{
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++) {
		unsigned int first, width;

		if (e[i].bits > depth + STRIDE)
			continue;
		first = step_at(&e[i], depth);
		width = 1u << (depth + STRIDE - e[i].bits);
		for (unsigned int s = first; s < first + width && rc == 0; s++)
			rc = add_set(b, &answer[s], e[i].set);
	}
	return rc;
}

/*
 * Makes node `at` of the sorted entries e[0..n), which agree in their first `depth` bits and are longer than
 * that (the root's may be empty); `above` is what covers them all. 22 levels at most.
 */
static int make_node(struct kd_prefixes_builder *b, uint32_t at, const struct entry *e, size_t n,
	unsigned int depth, uint16_t above)
{
	uint16_t answer[FANOUT];
	struct node node = {0};
	unsigned int step;
	uint32_t child;
	int rc;

	for (unsigned int i = 0; i < FANOUT; i++)
		answer[i] = above;
	rc = fill_answers(b, e, n, depth, answer);
	for (size_t i = 0; i < n; i++)
		if (e[i].bits > depth + STRIDE)
			node.children |= 1ull << step_at(&e[i], depth);
	if (rc == 0)
		rc = put_runs(b->p, &node, answer);
	if (rc == 0)
		rc = new_nodes(b->p, (unsigned int)__builtin_popcountll(node.children), &node.first_child);
	if (rc < 0)
		return rc;
	b->p->nodes[at] = node;
	child = node.first_child;
	for (size_t i = 0, end; i < n; i = end) {
		end = i + 1;
		if (e[i].bits <= depth + STRIDE)
			continue;
		step = step_at(&e[i], depth);
		while (end < n && step_at(&e[end], depth) == step)
			end++;
		rc = make_node(b, child++, e + i, end - i, depth + STRIDE, answer[step]);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int make(struct kd_prefixes_builder *b)
{
	struct kd_prefixes *p = b->p;
	size_t v4 = 0, kept = 0;
	uint32_t root;
	int rc;

	p->sets = grown(NULL, 0, 1, &p->sets_room, sizeof(*p->sets));
	if (p->sets == NULL)
		return -ENOMEM;
	p->sets[p->nsets++] = (struct kd_set_bits){0};
	if (b->count > 0)
		qsort(b->entries, b->count, sizeof(*b->entries), by_place);
	for (size_t i = 0; i < b->count; i++) {
		const struct entry *last = kept > 0 ? &b->entries[kept - 1] : NULL, *e = &b->entries[i];

		if (last != NULL && by_place(last, e) == 0)
			continue;
		if (last == NULL || last->v6 != e->v6 || last->bits != e->bits ||
			address_of(last) != address_of(e))
			p->count++;
		v4 += !e->v6;
		b->entries[kept++] = *e;
	}
	rc = new_nodes(p, 2, &root);
	if (rc == 0)
		rc = make_node(b, root, b->entries, v4, 0, 0);
	if (rc == 0)
		rc = make_node(b, root + 1, kept > v4 ? b->entries + v4 : NULL, kept - v4, 0, 0);
	return rc;
}

/* Gives back what doubling took too much; an array that cannot be moved is as good. */
static void *trimmed(void *array, size_t count, size_t *room, size_t size)
{
	void *smaller = reallocarray(array, count, size);

	if (smaller == NULL)
		return array;
	*room = count;
	return smaller;
}

int kd_prefixes_build(struct kd_prefixes **ret, struct kd_prefixes_builder *b)
{
	struct kd_prefixes *p = calloc(1, sizeof(*p));
	int rc = -ENOMEM;

	if (p != NULL && b != NULL) {
		b->p = p;
		rc = make(b);
	}
	if (b != NULL) {
		free(b->entries);
		free(b->index);
	}
	free(b);
	if (rc < 0) {
		kd_prefixes_free(p);
		return rc;
	}
	p->nodes = trimmed(p->nodes, p->nnodes, &p->nodes_room, sizeof(*p->nodes));
	p->answers = trimmed(p->answers, p->nanswers, &p->answers_room, sizeof(*p->answers));
	p->sets = trimmed(p->sets, p->nsets, &p->sets_room, sizeof(*p->sets));
	*ret = p;
	return 0;
}

void kd_prefixes_free(struct kd_prefixes *p)
{
	if (p == NULL)
		return;
	if (!p->borrowed) {
		free(p->nodes);
		free(p->answers);
		free(p->sets);
	}
	free(p);
}

void kd_prefixes_freeze(const struct kd_prefixes *p, struct kd_cache_part ret[KD_PREFIXES_PARTS])
{
	ret[0] = (struct kd_cache_part){&p->count, sizeof(p->count)};
	ret[1] = (struct kd_cache_part){p->nodes, p->nnodes * sizeof(*p->nodes)};
	ret[2] = (struct kd_cache_part){p->answers, p->nanswers * sizeof(*p->answers)};
	ret[3] = (struct kd_cache_part){p->sets, p->nsets * sizeof(*p->sets)};
}

int kd_prefixes_thaw(struct kd_prefixes **ret, const struct kd_cache_part parts[KD_PREFIXES_PARTS])
{
	struct kd_prefixes *p;

	if (parts[0].len != sizeof(p->count) || parts[1].len == 0 ||
		parts[1].len % sizeof(struct node) != 0 || parts[2].len % sizeof(*p->answers) != 0 ||
		parts[3].len % sizeof(*p->sets) != 0)
		return -EINVAL;
	p = calloc(1, sizeof(*p));
	if (p == NULL)
		return -ENOMEM;
	p->nodes = (struct node *)(uintptr_t)parts[1].bytes;
	p->answers = (uint16_t *)(uintptr_t)parts[2].bytes;
	p->sets = (struct kd_set_bits *)(uintptr_t)parts[3].bytes;
	memcpy(&p->count, parts[0].bytes, sizeof(p->count));
	p->nnodes = p->nodes_room = parts[1].len / sizeof(struct node);
	p->nanswers = p->answers_room = parts[2].len / sizeof(*p->answers);
	p->nsets = p->sets_room = parts[3].len / sizeof(*p->sets);
	p->borrowed = true;
	*ret = p;
	return 0;
}

const struct kd_set_bits *kd_prefixes_match(const struct kd_prefixes *p, const uint8_t *addr, bool v6)
{
	const struct node *node = &p->nodes[v6 ? 1 : 0];
	bits128 left = load(addr, v6);

	for (;;) {
		unsigned int step = (unsigned int)(left >> (128 - STRIDE));
		uint64_t below = (1ull << step) - 1;

		if ((node->children >> step & 1) == 0) {
			unsigned int run =
				(unsigned int)__builtin_popcountll(node->runs & (below | 1ull << step));

			return &p->sets[p->answers[node->first_run + run - 1]];
		}
		node = &p->nodes[node->first_child +
				 (unsigned int)__builtin_popcountll(node->children & below)];
		left <<= STRIDE;
	}
}

size_t kd_prefixes_count(const struct kd_prefixes *p)
{
	return p->count;
}

size_t kd_prefixes_bytes(const struct kd_prefixes *p)
{
	return sizeof(*p) + p->nodes_room * sizeof(*p->nodes) + p->answers_room * sizeof(*p->answers) +
	       p->sets_room * sizeof(*p->sets);
}

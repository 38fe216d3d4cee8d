/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Holds the fragments of an IP packet until all are here, then lets them go in the order they came, as
 * fragments, with the TTL of the one at offset 0 (X-FR-1, X-FR-2). What is too many, comes twice or does not
 * come in time is lost (X-FR-3, X-FR-4, X-FR-5); what finds no room passes untouched, and so does the rest of
 * its packet. Nobody looks into a fragment (X-FR-6); where frag.inspect is on, whole.c puts the packet
 * together beside them, the engine judges that as one, and a drop is what all of them get.
 *
 * A profile without rules is no box: it holds nothing. Like a flow's, the end of a wait is a function of time
 * alone: it comes before the first packet at or behind it, whatever the burst.
 */
#include "engine/frag.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/cursor.h"
#include "engine/internal.h"
#include "engine/rng.h"

#define PACKET_MAX 65535

/* What one fragment says of itself. */
struct said {
	struct kd_frag_key key;
	uint32_t from, to;
	bool last;
};

int kd_frag_init(struct kd_frag *f, const struct kd_policy *policy, uint32_t max, uint64_t seed)
{
	const struct kd_settings *s = &policy->settings;

	if (max == 0 || max > KD_HELD_MAX)
		return -EINVAL;
	*f = (struct kd_frag){.due_ns = UINT64_MAX, .max = max, .seed = seed};
	if (policy->nrules == 0)
		return 0;
	f->most = s->frag_most < UINT32_MAX ? (uint32_t)s->frag_most : UINT32_MAX;
	f->lifetime_ns = s->frag_lifetime_ns < KD_TIME_MAX_NS ? s->frag_lifetime_ns : KD_TIME_MAX_NS;
	while (f->mask < max)
		f->mask = f->mask * 2 + 1;
	f->bucket = calloc((size_t)f->mask + 1, sizeof(*f->bucket));
	f->piece = calloc((size_t)max + 1, sizeof(*f->piece));
	f->queue = calloc((size_t)max + 1, sizeof(*f->queue));
	if (f->bucket == NULL || f->piece == NULL || f->queue == NULL)
		return -ENOMEM;
	if (!kd_knob_is_on(policy, KD_KNOB_FRAG_INSPECT))
		return 0;
	f->whole.bytes = malloc(KD_FRAG_WHOLE_BYTES);
	return f->whole.bytes != NULL ? 0 : -ENOMEM;
}

void kd_frag_free(struct kd_frag *f)
{
	free(f->bucket);
	free(f->piece);
	free(f->queue);
	free(f->whole.bytes);
}

static uint32_t *bucket_of(struct kd_frag *f, const struct kd_frag_key *key)
{
	uint64_t word[sizeof(*key) / sizeof(uint64_t)], h = f->seed;

	memcpy(word, key, sizeof(word));
	for (unsigned int i = 0; i < sizeof(word) / sizeof(word[0]); i++)
		h = kd_mix(h, word[i]);
	return &f->bucket[h & f->mask];
}

void kd_frag_reset(struct kd_frag *f)
{
	for (uint32_t at = f->oldest; at != 0; at = f->queue[at].newer)
		*bucket_of(f, &f->queue[at].key) = 0;
	f->piece_top = f->piece_free = f->queue_top = f->queue_free = 0;
	f->oldest = f->newest = 0;
	f->due_ns = UINT64_MAX;
}

/* False: no packet can have such a fragment. */
static bool read_fragment(const struct kd_step *s, struct said *said)
{
	const struct kd_view *v = s->view;
	const uint8_t *ip = s->pkt->data + v->l3_off, *h = s->pkt->data + v->l4_off - 8;
	size_t bytes = v->ip_version == 4 ? 4 : 16, end;
	uint16_t field;

	memset(said, 0, sizeof(*said));
	memcpy(said->key.addr[0], v->src, bytes);
	memcpy(said->key.addr[1], v->dst, bytes);
	said->key.version = v->ip_version;
	said->key.side = s->pkt->side;
	if (v->ip_version == 4) {
		field = kd_get16(ip + 6);
		said->key.id = kd_get16(ip + 4);
		said->key.proto = ip[9];
		said->from = (field & 0x1fffu) * 8;
		said->last = (field & 0x2000) == 0;
		end = v->l3_off + (size_t)kd_get16(ip + 2);
	} else {
		field = kd_get16(h + 2);
		said->key.id = kd_get32(h + 4);
		said->from = field & 0xfff8u;
		said->last = (field & 1) == 0;
		end = v->l3_off + 40 + (size_t)kd_get16(ip + 4);
	}
	if (end <= v->l4_off)
		return false;
	said->to = said->from + (uint32_t)(end - v->l4_off);
	return said->to <= PACKET_MAX && (said->last || (said->to - said->from) % 8 == 0);
}

/* Gives the bytes at `ip` another TTL or hop limit; whether that changed anything. The checksum moves by what
 * the word of the TTL moved, RFC 1624 eqn. 3. */
static bool set_ttl(uint8_t *ip, uint8_t ttl)
{
	uint32_t sum;

	if (ip[0] >> 4 == 6) {
		bool other = ip[7] != ttl;

		ip[7] = ttl;
		return other;
	}
	if (ip[8] == ttl)
		return false;
	sum = (uint32_t)(uint16_t)~kd_get16(ip + 10) + (uint16_t)~kd_get16(ip + 8);
	ip[8] = ttl;
	sum += kd_get16(ip + 8);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	kd_put16(ip + 10, (uint16_t)~sum);
	return true;
}

static struct kd_frag_queue *find(struct kd_frag *f, const struct kd_frag_key *key)
{
	for (uint32_t at = *bucket_of(f, key); at != 0; at = f->queue[at].next)
		if (memcmp(&f->queue[at].key, key, sizeof(*key)) == 0)
			return &f->queue[at];
	return NULL;
}

/* A new queue, the newest; NULL: no room. */
static struct kd_frag_queue *open_queue(struct kd_engine *e, const struct kd_frag_key *key)
{
	struct kd_frag *f = &e->frag;
	uint32_t at = f->queue_free, *bucket = bucket_of(f, key);
	struct kd_frag_queue *q;

	if (at != 0)
		f->queue_free = f->queue[at].next;
	else if (f->queue_top < f->max)
		at = ++f->queue_top;
	else
		return NULL;
	q = &f->queue[at];
	*q = (struct kd_frag_queue){.key = *key, .first_ns = e->now_ns, .next = *bucket, .older = f->newest};
	*bucket = at;
	if (f->newest != 0)
		f->queue[f->newest].newer = at;
	else
		f->oldest = at;
	f->newest = at;
	if (q->first_ns + f->lifetime_ns < f->due_ns)
		f->due_ns = q->first_ns + f->lifetime_ns;
	if (f->due_ns < e->due_ns)
		e->due_ns = f->due_ns;
	return q;
}

static void close_queue(struct kd_frag *f, struct kd_frag_queue *q)
{
	uint32_t at = (uint32_t)(q - f->queue), *link = bucket_of(f, &q->key);

	while (*link != at)
		link = &f->queue[*link].next;
	*link = q->next;
	*(q->older != 0 ? &f->queue[q->older].newer : &f->oldest) = q->newer;
	*(q->newer != 0 ? &f->queue[q->newer].older : &f->newest) = q->older;
	q->next = f->queue_free;
	f->queue_free = at;
}

/* All that is held of a packet meets its fate, in the order it came, as actions from `to` on. */
static void let_go(
	struct kd_engine *e, struct kd_frag_queue *q, struct kd_action *to, const struct kd_action *like)
{
	struct kd_frag *f = &e->frag;

	for (uint32_t at = q->first, next; at != 0; at = next) {
		struct kd_frag_piece *p = &f->piece[at];
		unsigned int own = like->fate;

		if (like->fate == KD_REWRITE)
			own = set_ttl(p->pkt.data + p->l3_off, q->ttl) ? KD_REWRITE : KD_EMIT;
		*to++ = (struct kd_action){.fate = (uint8_t)own,
			.side = p->pkt.side ^ 1,
			.link = p->pkt.link,
			.n = 1, /* behind its KD_HOLD */
			.reason = like->reason,
			.rule = like->rule,
			.len = p->pkt.len,
			.data = p->pkt.data,
			.time_ns = like->time_ns,
			.number = p->pkt.number,
			.flow_id = like->flow_id,
			.handle = p->pkt.handle};
		e->count.fates[own]++;
		e->count.reasons[like->reason]++;
		e->count.held--;
		next = p->next;
		p->next = f->piece_free;
		f->piece_free = at;
	}
	q->first = q->latest = q->count = 0;
}

/* What is held will leave before the fragment in hand, and before anything that is injected for it. */
static void make_room(struct kd_step *s, const struct kd_frag_queue *q)
{
	s->final += q->count;
	s->out->count = s->final + 1;
	s->out->actions[s->final].fate = KD_EMIT;
}

/* The fate of the whole packet is known: of what is held, for which room was made, and of the fragment in
 * hand. */
static void all_meet(struct kd_step *s, struct kd_frag_queue *q, struct kd_action like)
{
	like.time_ns = s->pkt->time_ns;
	let_go(s->e, q, &s->out->actions[s->final - q->count], &like);
	s->fate = like.fate;
	s->reason = like.reason;
	if (like.fate == KD_REWRITE && !set_ttl(s->pkt->data + s->view->l3_off, q->ttl))
		s->fate = KD_EMIT;
}

/* The same, and of those to come. */
static void settle_all(struct kd_step *s, struct kd_frag_queue *q, unsigned int fate, uint16_t reason)
{
	make_room(s, q);
	all_meet(s, q, (struct kd_action){.fate = (uint8_t)fate, .reason = reason});
	q->fate = s->fate;
	q->fate_reason = reason;
}

/* Whether it claims bytes that another one brought, or another end of the packet. */
static bool collides(const struct kd_frag *f, const struct kd_frag_queue *q, const struct said *said)
{
	if (q->whole != 0 && (said->last || said->to > q->whole))
		return true;
	for (uint32_t at = q->first; at != 0; at = f->piece[at].next) {
		const struct kd_frag_piece *p = &f->piece[at];

		if ((said->from < p->to && p->from < said->to) || (said->last && p->to > said->to))
			return true;
	}
	return false;
}

static struct kd_frag_piece piece_of(const struct kd_step *s, const struct said *said)
{
	return (struct kd_frag_piece){.pkt = *s->pkt,
		.from = said->from,
		.to = said->to,
		.l3_off = s->view->l3_off,
		.l4_off = s->view->l4_off,
		.pppoe_off = s->view->pppoe_off};
}

/* False: no room. */
static bool hold(struct kd_step *s, struct kd_frag_queue *q, const struct said *said)
{
	struct kd_frag *f = &s->e->frag;
	uint32_t at = f->piece_free;

	if (kd_held_places(s->e) >= f->max)
		return false;
	if (at != 0)
		f->piece_free = f->piece[at].next;
	else if (f->piece_top < f->max)
		at = ++f->piece_top;
	else
		return false;
	f->piece[at] = piece_of(s, said);
	*(q->latest != 0 ? &f->piece[q->latest].next : &q->first) = at;
	q->latest = at;
	q->count++;
	s->e->count.held++;
	s->fate = KD_HOLD;
	s->reason = KD_REASON_FRAG_HELD;
	return true;
}

/* All are here. True: the packet is to be judged. */
static bool complete(struct kd_step *s, struct kd_frag_queue *q, const struct said *said)
{
	struct kd_frag *f = &s->e->frag;
	uint16_t why = KD_REASON_FRAG_NOT_INSPECTED;

	if (f->whole.bytes != NULL) {
		struct kd_frag_piece last = piece_of(s, said);

		why = kd_frag_join(s->e, q, &last);
	}
	if (why != KD_REASON_NONE) {
		settle_all(s, q, KD_REWRITE, why);
		close_queue(f, q);
		return false;
	}
	f->whole.queue = (uint32_t)(q - f->queue);
	make_room(s, q);
	return true;
}

void kd_frag_settle(struct kd_step *s)
{
	struct kd_frag *f = &s->e->frag;
	struct kd_frag_queue *q = &f->queue[f->whole.queue];

	all_meet(s, q,
		(struct kd_action){.fate = s->fate == KD_DROP ? KD_DROP : KD_REWRITE,
			.reason = s->reason,
			.rule = s->rule,
			.flow_id = s->flow != NULL && s->e->flow_ids ? kd_flow_id(s->e, s->flow) : 0});
	close_queue(f, q);
}

/* A fragment of a packet that still waits. True: the packet is to be judged. */
static bool add(struct kd_step *s, struct kd_frag_queue *q, const struct said *said)
{
	struct kd_frag *f = &s->e->frag;

	if (q->count >= f->most) {
		settle_all(s, q, KD_DROP, KD_REASON_FRAG_TOO_MANY);
		return false;
	}
	if (collides(f, q, said)) {
		settle_all(s, q, KD_DROP, KD_REASON_FRAG_OVERLAP);
		return false;
	}
	if (said->from == 0)
		q->ttl = s->view->ttl;
	if (said->last)
		q->whole = said->to;
	q->bytes += said->to - said->from;
	/* No two bring the same byte, so as many bytes as there are is all of them. */
	if (q->bytes == q->whole)
		return complete(s, q, said);
	if (!hold(s, q, said))
		settle_all(s, q, KD_EMIT, KD_REASON_FRAG_NO_ROOM);
	return false;
}

bool kd_frag_take(struct kd_step *s)
{
	struct kd_engine *e = s->e;
	struct kd_frag_queue *q;
	struct said said;
	uint16_t why = KD_REASON_NONE;
	bool inside = s->pkt->side == KD_INSIDE;

	if (e->frag.most == 0)
		return false;
	if (e->guard != NULL)
		why = kd_guard_judge(e->guard, s->view->ip_version == 6, inside ? s->view->src : s->view->dst,
			inside ? s->view->dst : s->view->src);
	if (why == KD_REASON_NONE && (s->pkt->flags & KD_PKT_BAD_CHECKSUM) != 0)
		why = KD_REASON_DECODE_CHECKSUM;
	if (why == KD_REASON_NONE && !read_fragment(s, &said))
		why = KD_REASON_FRAG_BAD_LENGTH;
	if (why != KD_REASON_NONE) {
		s->reason = why;
		return false;
	}
	q = find(&e->frag, &said.key);
	if (q == NULL)
		q = open_queue(e, &said.key);
	if (q == NULL) {
		s->reason = KD_REASON_FRAG_NO_ROOM;
	} else if (q->fate_reason != KD_REASON_NONE) {
		s->fate = q->fate;
		s->reason = q->fate_reason;
	} else {
		return add(s, q, &said);
	}
	return false;
}

/* The wait for the rest of a packet is over: what is held of it is lost. */
static void lose(
	struct kd_engine *e, struct kd_frag_queue *q, struct kd_out *out, uint16_t reason, uint64_t time_ns)
{
	struct kd_action *to = &out->actions[out->count];

	out->count += q->count;
	let_go(e, q, to, &(struct kd_action){.fate = KD_DROP, .reason = reason, .time_ns = time_ns});
	close_queue(&e->frag, q);
}

void kd_frag_expire(struct kd_engine *e, struct kd_out *out, uint64_t until_ns)
{
	struct kd_frag *f = &e->frag;

	f->due_ns = UINT64_MAX;
	while (f->oldest != 0) {
		struct kd_frag_queue *q = &f->queue[f->oldest];
		uint64_t due_ns = q->first_ns + f->lifetime_ns;

		if (until_ns < due_ns) {
			f->due_ns = due_ns;
			return;
		}
		lose(e, q, out, KD_REASON_FRAG_TIMEOUT, due_ns);
	}
}

void kd_frag_release(struct kd_engine *e, struct kd_out *out)
{
	struct kd_frag *f = &e->frag;

	while (f->oldest != 0)
		lose(e, &f->queue[f->oldest], out, KD_REASON_FRAG_END_OF_RUN, e->now_ns);
	f->due_ns = UINT64_MAX;
}

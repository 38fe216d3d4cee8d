/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Carries packets between the engines of a path; see chain.h. One packet of the driver, with all that it
 * causes, is through before the next one enters, and what boxes let go by time is let go in order of that
 * time: so no burst size can show. All waiting is done in engines; the chain itself delays nothing.
 */
#include "drivers/chain.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FRAME_BYTES KD_FRAME_BYTES
#define FRAME_ROOM 64 /* writable before and behind it, for the boxes it crosses */

struct frame {
	struct frame *next;
	uint8_t bytes[FRAME_ROOM + FRAME_BYTES + FRAME_ROOM];
};

/* A packet inside: in an engine's hands, or in line for one. It is what engines see as its handle. */
struct passing {
	struct passing *next; /* in whatever list it stands */
	struct passing *root; /* the driver's packet that caused it; itself, if that it is */
	struct frame *frame;  /* of an injected one, else NULL */
	struct kd_pkt pkt;
	uint8_t *from, *to; /* what may be written */
	void *handle;	    /* the driver's */
	uint64_t flow_id;
	uint16_t reason, rule; /* with flow_id: what will be said of it, unless it is dropped */
	uint8_t by;	       /* which box said that */
	uint8_t fate;
	uint8_t box; /* that it is in, or comes to next */
	bool held;   /* told so */
	/* Of a root only: */
	uint32_t refs; /* itself and what it caused, while they are inside */
	uint8_t n;     /* actions so far */
	uint8_t injected;
};

struct line {
	struct passing *first, *last;
};

struct kd_chain {
	unsigned int n;
	struct kd_engine *engine[KD_CHAIN_MAX];
	void (*seen)(void *user, const struct kd_action *a);
	void *user;

	struct kd_out said;    /* by the engine called last */
	struct kd_out *out;    /* of this call */
	uint32_t to_come;      /* packets of this burst that did not enter yet */
	struct line line;      /* for the next box */
	struct passing *ended; /* while an engine's actions are read, which may still speak of them */

	struct passing *pool, *free;
	struct frame *frames, *frame_free, *frame_spent; /* spent: bytes given out in the last call */
	uint32_t frames_max, frames_top;		 /* [0..top) were ever used */

	struct kd_counters count;	    /* of the driver's packets, and injections that left */
	struct kd_counters sums;	    /* with those of the engines */
	uint64_t owned;			    /* packets of the driver inside */
	uint64_t injected_inside;	    /* of the others */
	uint64_t injected_dropped;	    /* by a box they came to */
	uint64_t unplaced[KD_REASON_COUNT]; /* injections that found no room, by what they were */
};

static int make_pools(struct kd_chain *c, const struct kd_chain_config *config)
{
	uint32_t frames =
		config->injects_max != 0 ? config->injects_max : kd_chain_injects(c->n) * KD_BURST_MAX;
	/* Held by any box; those of one engine's call; injected ones, and what caused them and may be gone.
	 */
	size_t n = (size_t)c->n * config->engine.held_max + KD_ACTIONS_PER_PKT + 2 * (size_t)frames;

	c->pool = calloc(n, sizeof(*c->pool));
	c->frames = calloc(frames, sizeof(*c->frames));
	c->said.room = KD_OUT_ROOM(1);
	c->said.actions = calloc(c->said.room, sizeof(*c->said.actions));
	if (c->pool == NULL || c->frames == NULL || c->said.actions == NULL)
		return -ENOMEM;
	for (size_t i = n; i-- > 0;) {
		c->pool[i].next = c->free;
		c->free = &c->pool[i];
	}
	c->frames_max = frames;
	return 0;
}

int kd_chain_new(struct kd_chain **ret, const struct kd_chain_config *config)
{
	struct kd_engine_config engine = config->engine;
	struct kd_chain *c;
	int err = 0;

	if (config->n == 0 || config->n > KD_CHAIN_MAX)
		return -EINVAL;
	c = calloc(1, sizeof(*c));
	if (c == NULL)
		return -ENOMEM;
	c->seen = config->seen;
	c->user = config->user;
	for (; c->n < config->n && err == 0; c->n += err == 0) {
		engine.policy = config->policies[c->n];
		engine.box = (uint8_t)c->n;
		err = kd_engine_new(&c->engine[c->n], &engine);
	}
	if (err == 0 && c->n > 1)
		err = make_pools(c, config);
	if (err < 0) {
		kd_chain_free(c);
		return err;
	}
	*ret = c;
	return 0;
}

void kd_chain_free(struct kd_chain *c)
{
	if (c == NULL)
		return;
	for (unsigned int i = 0; i < c->n; i++)
		kd_engine_free(c->engine[i]);
	free(c->said.actions);
	free(c->frames);
	free(c->pool);
	free(c);
}

static struct passing *take(struct kd_chain *c)
{
	struct passing *p = c->free;

	c->free = p->next;
	return p;
}

/* What ended goes back to the pool when nobody speaks of it any more. */
static void bury(struct kd_chain *c)
{
	for (struct passing *p = c->ended, *next; p != NULL; p = next) {
		struct passing *root = p->root;

		next = p->next;
		if (p != root) {
			p->next = c->free;
			c->free = p;
		}
		if (--root->refs == 0) {
			root->next = c->free;
			c->free = root;
		}
	}
	c->ended = NULL;
}

static void end(struct kd_chain *c, struct passing *p)
{
	p->next = c->ended;
	c->ended = p;
	if (p->frame != NULL)
		c->injected_inside--;
	else
		c->owned--;
}

static struct frame *take_frame(struct kd_chain *c)
{
	struct frame *f = c->frame_free;

	if (f != NULL)
		c->frame_free = f->next;
	else if (c->frames_top < c->frames_max)
		f = &c->frames[c->frames_top++];
	return f;
}

static void give_back(struct frame **list, struct frame *f)
{
	f->next = *list;
	*list = f;
}

/* An action towards the driver, of what stands in p. */
static void tell(struct kd_chain *c, struct passing *p, unsigned int fate)
{
	c->out->actions[c->out->count++] = (struct kd_action){.fate = (uint8_t)fate,
		.side = p->pkt.side ^ 1,
		.link = p->pkt.link,
		.n = p->root->n++,
		.box = p->by,
		.reason = p->reason,
		.rule = p->rule,
		.len = p->pkt.len,
		.data = p->pkt.data,
		.time_ns = p->pkt.time_ns,
		.number = p->pkt.number,
		.flow_id = p->flow_id,
		.handle = p->handle};
	c->count.fates[fate]++;
	if (fate != KD_INJECT)
		c->count.reasons[p->reason]++;
}

static void note(struct passing *p, const struct kd_action *a)
{
	p->reason = a->reason;
	p->rule = a->rule;
	p->flow_id = a->flow_id;
	p->by = a->box;
}

/* Behind the last box of its way. Finals, and the one hold that may still be told, have their place. */
static void leave(struct kd_chain *c, struct passing *p)
{
	if (p->frame == NULL) {
		tell(c, p, p->fate);
	} else if (c->out->count + c->owned + 1 + 2 * c->to_come < c->out->room) {
		tell(c, p, KD_INJECT);
		give_back(&c->frame_spent, p->frame);
	} else {
		c->unplaced[p->reason]++;
		give_back(&c->frame_free, p->frame);
	}
	end(c, p);
}

/* To the next box in its direction, or out. */
static void go_on(struct kd_chain *c, struct passing *p)
{
	if (p->box == (p->pkt.side == KD_INSIDE ? c->n - 1 : 0)) {
		leave(c, p);
		return;
	}
	p->box = (uint8_t)(p->pkt.side == KD_INSIDE ? p->box + 1 : p->box - 1);
	p->next = NULL;
	*(c->line.last != NULL ? &c->line.last->next : &c->line.first) = p;
	c->line.last = p;
}

static uint16_t room_of(const uint8_t *from, const uint8_t *to)
{
	return to - from < UINT16_MAX ? (uint16_t)(to - from) : UINT16_MAX;
}

static void let_go(struct kd_chain *c, struct passing *p, const struct kd_action *a)
{
	if (a->len != p->pkt.len)
		p->pkt.wire_len = a->len;
	p->pkt.data = a->data;
	p->pkt.len = a->len;
	p->pkt.headroom = room_of(p->from, a->data);
	p->pkt.tailroom = room_of(a->data + a->len, p->to);
	p->pkt.time_ns = a->time_ns;
	if (a->fate == KD_REWRITE || (p->fate == KD_EMIT && (a->rule != 0 || p->reason == 0))) {
		note(p, a);
		if (p->frame == NULL)
			p->fate = a->fate;
	}
	go_on(c, p);
}

static void drop(struct kd_chain *c, struct passing *p, const struct kd_action *a)
{
	p->pkt.data = a->data;
	p->pkt.len = a->len;
	p->pkt.time_ns = a->time_ns;
	note(p, a);
	if (p->frame == NULL) {
		tell(c, p, KD_DROP);
	} else {
		c->injected_dropped++;
		give_back(&c->frame_free, p->frame);
	}
	end(c, p);
}

static void hold(struct kd_chain *c, struct passing *p, const struct kd_action *a)
{
	struct passing now = *p;

	if (p->held || p->frame != NULL)
		return;
	p->held = true;
	note(&now, a);
	tell(c, &now, KD_HOLD);
}

/* The engine's bytes are good until its next call; a number from 1 on tells what it injected apart in the
 * records of other boxes. */
static void inject(struct kd_chain *c, const struct kd_action *a)
{
	const struct passing *by = a->handle; /* NULL: that may be gone, the frame comes later */
	struct passing *root = by != NULL ? by->root : NULL, *p;
	bool one_more = root == NULL || root->injected < kd_chain_injects(c->n);
	struct frame *f = one_more && a->len <= FRAME_BYTES ? take_frame(c) : NULL;

	if (f == NULL) {
		c->unplaced[a->reason]++;
		return;
	}
	memcpy(f->bytes + FRAME_ROOM, a->data, a->len);
	p = take(c);
	*p = (struct passing){.root = root != NULL ? root : p,
		.frame = f,
		.from = f->bytes,
		.to = f->bytes + sizeof(f->bytes),
		.handle = root != NULL ? root->handle : NULL,
		.n = a->n,
		.fate = KD_INJECT,
		.box = a->box,
		.pkt = {.data = f->bytes + FRAME_ROOM,
			.len = a->len,
			.wire_len = a->len,
			.headroom = FRAME_ROOM,
			.side = a->side ^ 1,
			.link = a->link,
			.n = root != NULL ? ++root->injected : a->n,
			.time_ns = a->time_ns,
			.number = a->number,
			.handle = p}};
	p->pkt.tailroom = room_of(p->pkt.data + a->len, p->to);
	p->root->refs++;
	c->injected_inside++;
	note(p, a);
	go_on(c, p);
}

/* What the engine of a box said in its last call. */
static void carry_out(struct kd_chain *c, unsigned int box)
{
	for (uint32_t i = 0; i < c->said.count; i++) {
		struct kd_action *a = &c->said.actions[i];
		struct passing *p = a->handle;

		a->box = (uint8_t)box;
		if (c->seen != NULL) {
			struct kd_action shown = *a;

			shown.handle = a->fate != KD_INJECT && p->frame == NULL ? p->handle : NULL;
			c->seen(c->user, &shown);
		}
		if (a->fate == KD_INJECT)
			inject(c, a);
		else if (a->fate == KD_HOLD)
			hold(c, p, a);
		else if (a->fate == KD_DROP)
			drop(c, p, a);
		else
			let_go(c, p, a);
	}
	bury(c);
}

static void drain(struct kd_chain *c)
{
	struct passing *p;

	while ((p = c->line.first) != NULL) {
		unsigned int box = p->box;

		c->line.first = p->next;
		if (c->line.first == NULL)
			c->line.last = NULL;
		kd_engine_burst(c->engine[box], &p->pkt, 1, &c->said);
		carry_out(c, box);
	}
}

/* Up to a time, everything that boxes let go by time alone, in order of that time. */
static void pass_time(struct kd_chain *c, uint64_t now_ns)
{
	for (;;) {
		unsigned int box = 0;
		uint64_t due_ns;

		for (unsigned int i = 1; i < c->n; i++)
			if (kd_engine_due(c->engine[i]) < kd_engine_due(c->engine[box]))
				box = i;
		due_ns = kd_engine_due(c->engine[box]);
		if (due_ns > now_ns)
			return;
		kd_engine_advance(c->engine[box], due_ns, &c->said);
		carry_out(c, box);
		drain(c);
		if (kd_engine_due(c->engine[box]) == due_ns)
			return; /* later than engines can tell */
	}
}

static void begin(struct kd_chain *c, struct kd_out *out, unsigned int to_come)
{
	c->out = out;
	out->count = 0;
	c->to_come = to_come;
	while (c->frame_spent != NULL) {
		struct frame *f = c->frame_spent;

		c->frame_spent = f->next;
		give_back(&c->frame_free, f);
	}
}

/* Boxes that saw no packet know the time too: what they have to tell must not wait for one. */
static void catch_up(struct kd_chain *c, uint64_t now_ns)
{
	for (unsigned int i = 0; i < c->n; i++) {
		kd_engine_advance(c->engine[i], now_ns, &c->said);
		carry_out(c, i);
	}
	drain(c);
	c->count.held = c->owned;
}

static void enter(struct kd_chain *c, const struct kd_pkt *pkt)
{
	struct passing *p = take(c);
	uint8_t *end_of = pkt->data + pkt->len + pkt->tailroom;

	*p = (struct passing){.root = p,
		.from = pkt->data - pkt->headroom,
		.to = end_of,
		.handle = pkt->handle,
		.pkt = *pkt,
		.fate = KD_EMIT,
		.box = (uint8_t)(pkt->side == KD_INSIDE ? 0 : c->n - 1),
		.refs = 1};
	p->pkt.handle = p;
	c->owned++;
	c->count.in[pkt->side]++;
	c->count.in_bytes[pkt->side] += pkt->wire_len;
	c->line.first = c->line.last = p;
	drain(c);
}

int kd_chain_bypass(struct kd_chain *c, unsigned int box, uint16_t rule, bool on, uint64_t from_ns)
{
	return box < c->n ? kd_engine_bypass(c->engine[box], rule, on, from_ns) : -EINVAL;
}

void kd_chain_burst(struct kd_chain *c, struct kd_pkt *pkts, unsigned int n, struct kd_out *out)
{
	if (c->n == 1) {
		kd_engine_burst(c->engine[0], pkts, n, out);
		return;
	}
	begin(c, out, n);
	for (unsigned int i = 0; i < n; i++) {
		pass_time(c, pkts[i].time_ns);
		c->to_come--;
		enter(c, &pkts[i]);
	}
	if (n > 0)
		catch_up(c, pkts[n - 1].time_ns);
}

void kd_chain_advance(struct kd_chain *c, uint64_t now_ns, struct kd_out *out)
{
	if (c->n == 1) {
		kd_engine_advance(c->engine[0], now_ns, out);
		return;
	}
	begin(c, out, 0);
	pass_time(c, now_ns);
	catch_up(c, now_ns);
}

void kd_chain_release(struct kd_chain *c, struct kd_out *out)
{
	if (c->n == 1) {
		kd_engine_release(c->engine[0], out);
		return;
	}
	begin(c, out, 0);
	for (unsigned int i = 0; i < c->n; i++) {
		kd_engine_release(c->engine[i], &c->said);
		carry_out(c, i);
	}
	c->count.held = c->owned;
}

unsigned int kd_chain_finish(struct kd_chain *c)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < c->n; i++)
		n += kd_engine_finish(c->engine[i]);
	return n;
}

unsigned int kd_chain_events(struct kd_chain *c, struct kd_event *dst, unsigned int max)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < c->n && n < max; i++)
		n += kd_engine_events(c->engine[i], dst + n, max - n);
	return n;
}

uint64_t kd_chain_horizon(const struct kd_chain *c)
{
	uint64_t horizon_ns = UINT64_MAX;

	for (unsigned int i = 0; i < c->n; i++)
		if (kd_engine_horizon(c->engine[i]) < horizon_ns)
			horizon_ns = kd_engine_horizon(c->engine[i]);
	return horizon_ns;
}

const struct kd_counters *kd_chain_box_counters(const struct kd_chain *c, unsigned int box)
{
	return kd_engine_counters(c->engine[box]);
}

const struct kd_counters *kd_chain_counters(struct kd_chain *c)
{
	struct kd_counters *sum = &c->sums;
	uint64_t named = 0;

	if (c->n == 1)
		return kd_engine_counters(c->engine[0]);
	*sum = c->count;
	for (unsigned int i = 0; i < c->n; i++) {
		const struct kd_counters *e = kd_engine_counters(c->engine[i]);

		sum->consumed += e->consumed;
		sum->flows_new += e->flows_new;
		sum->flows_ended += e->flows_ended;
		sum->flows_live += e->flows_live;
		sum->untracked += e->untracked;
		sum->events_lost += e->events_lost;
		sum->knob_sets_full += e->knob_sets_full;
		sum->counts_full += e->counts_full;
		sum->traces_full += e->traces_full;
		sum->gathers_full += e->gathers_full;
		sum->bans_new += e->bans_new;
		sum->bans_hit += e->bans_hit;
		sum->bans_full += e->bans_full;
		sum->bans_untold += e->bans_untold;
		sum->nat_full += e->nat_full;
		sum->switched_late += e->switched_late;
		for (unsigned int r = 0; r < KD_REASON_COUNT; r++)
			sum->inject_reasons[r] += e->inject_reasons[r];
	}
	for (unsigned int r = 0; r < KD_REASON_COUNT; r++) {
		sum->inject_reasons[r] -= c->unplaced[r];
		sum->inject_reasons[KD_REASON_CHAIN_NO_ROOM] += c->unplaced[r];
	}
	for (unsigned int r = 0; r < KD_REASON_COUNT; r++)
		named += sum->inject_reasons[r];
	sum->inject_refused = named - sum->fates[KD_INJECT];
	return sum;
}

const char *kd_chain_unbalanced(struct kd_chain *c)
{
	const struct kd_counters *whole = kd_chain_counters(c);
	uint64_t in = 0, onward = 0, made = 0, dropped = 0, held = 0, unplaced = 0;
	const char *wrong = kd_counters_unbalanced(whole);

	for (unsigned int i = 0; i < c->n && wrong == NULL; i++) {
		const struct kd_counters *e = kd_engine_counters(c->engine[i]);

		wrong = kd_counters_unbalanced(e);
		in += e->in[KD_INSIDE] + e->in[KD_OUTSIDE];
		onward += e->fates[KD_EMIT] + e->fates[KD_REWRITE];
		made += e->fates[KD_INJECT];
		dropped += e->fates[KD_DROP];
		held += e->held;
	}
	if (wrong != NULL || c->n == 1)
		return wrong;
	for (unsigned int r = 0; r < KD_REASON_COUNT; r++)
		unplaced += c->unplaced[r];
	if (in - whole->in[KD_INSIDE] - whole->in[KD_OUTSIDE] + whole->fates[KD_EMIT] +
			whole->fates[KD_REWRITE] + whole->fates[KD_INJECT] + unplaced !=
		onward + made)
		return "what boxes let go is not what entered the next ones and what left";
	if (made != whole->fates[KD_INJECT] + c->injected_dropped + unplaced + c->injected_inside)
		return "injected packets did not leave, nor were they dropped, held or refused";
	if (dropped != whole->fates[KD_DROP] + c->injected_dropped)
		return "boxes dropped other packets than the path";
	if (held != c->owned + c->injected_inside)
		return "boxes hold other packets than the path";
	return NULL;
}

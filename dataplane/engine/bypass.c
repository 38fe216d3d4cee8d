/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Hears what switches were asked for and throws each at its time, between two packets: those before it never
 * feel it, those at it and behind do, whatever burst they come in. Real boxes are bypassed by the balancer
 * before them (X-ARCH-12); flows that begin meanwhile are picked up in their middle (X-ARCH-5).
 */
#include "engine/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int kd_bypass_init(struct kd_bypass *b, uint32_t nrules)
{
	b->rule = calloc((size_t)nrules + 1, sizeof(*b->rule));
	b->due_ns = UINT64_MAX;
	return b->rule != NULL ? 0 : -ENOMEM;
}

void kd_bypass_free(struct kd_bypass *b)
{
	free(b->rule);
	b->rule = NULL;
}

void kd_bypass_reset(struct kd_bypass *b, uint32_t nrules)
{
	b->box = false;
	b->rules = 0;
	memset(b->rule, 0, ((size_t)nrules + 1) * sizeof(*b->rule));
	b->due_ns = UINT64_MAX;
	b->heard = 0;
	atomic_store(&b->head, 0);
	atomic_store(&b->tail, 0);
}

int kd_engine_bypass(struct kd_engine *e, uint16_t rule, bool on, uint64_t from_ns)
{
	struct kd_bypass *b = &e->bypass;
	uint32_t head = atomic_load_explicit(&b->head, memory_order_relaxed);

	if (rule > e->policy->nrules)
		return -EINVAL;
	if (head - atomic_load_explicit(&b->tail, memory_order_acquire) == KD_SWITCHES)
		return -EAGAIN;
	b->slot[head % KD_SWITCHES] = (struct kd_switch){.from_ns = from_ns, .rule = rule, .on = on};
	atomic_store_explicit(&b->head, head + 1, memory_order_release);
	return 0;
}

bool kd_engine_bypass_waits(const struct kd_engine *e)
{
	return atomic_load_explicit(&e->bypass.head, memory_order_relaxed) !=
	       atomic_load_explicit(&e->bypass.tail, memory_order_acquire);
}

static struct kd_switch *first(struct kd_bypass *b, uint32_t tail)
{
	return tail != b->heard ? &b->slot[tail % KD_SWITCHES] : NULL;
}

/* None comes before a packet that was judged already, nor before the one asked for before it. */
void kd_bypass_hear(struct kd_engine *e)
{
	struct kd_bypass *b = &e->bypass;
	uint32_t head = atomic_load_explicit(&b->head, memory_order_acquire);
	uint32_t tail = atomic_load_explicit(&b->tail, memory_order_relaxed);
	uint64_t least_ns = e->now_ns;

	if (tail != b->heard && b->slot[(b->heard - 1) % KD_SWITCHES].from_ns > least_ns)
		least_ns = b->slot[(b->heard - 1) % KD_SWITCHES].from_ns;
	for (; b->heard != head; b->heard++) {
		struct kd_switch *s = &b->slot[b->heard % KD_SWITCHES];

		if (s->from_ns != 0 && s->from_ns < least_ns) {
			s->from_ns = least_ns;
			e->count.switched_late++;
		}
		if (s->from_ns > least_ns)
			least_ns = s->from_ns;
	}
	b->due_ns = first(b, tail) != NULL ? first(b, tail)->from_ns : UINT64_MAX;
}

static void throw_switch(struct kd_engine *e, const struct kd_switch *s, uint64_t now_ns)
{
	struct kd_bypass *b = &e->bypass;
	bool *is = s->rule == KD_RULE_NONE ? &b->box : &b->rule[s->rule];

	if (*is == s->on)
		return;
	*is = s->on;
	if (s->rule != KD_RULE_NONE)
		b->rules += s->on ? 1u : -1u;
	kd_record_switch(e, s->rule, s->on, s->from_ns != 0 ? s->from_ns : now_ns);
}

void kd_bypass_obey(struct kd_engine *e, uint64_t now_ns)
{
	struct kd_bypass *b = &e->bypass;
	uint32_t tail = atomic_load_explicit(&b->tail, memory_order_relaxed);
	const struct kd_switch *s;

	while ((s = first(b, tail)) != NULL && s->from_ns <= now_ns) {
		throw_switch(e, s, now_ns);
		tail++;
	}
	b->due_ns = s != NULL ? s->from_ns : UINT64_MAX;
	atomic_store_explicit(&b->tail, tail, memory_order_release);
}

unsigned int kd_bypass_split(struct kd_engine *e, const struct kd_pkt *pkts, unsigned int n)
{
	unsigned int at = 1;

	if (e->bypass.due_ns <= pkts[0].time_ns)
		kd_bypass_obey(e, pkts[0].time_ns);
	while (at < n && pkts[at].time_ns < e->bypass.due_ns)
		at++;
	return at;
}

/* By the clock's own seconds, so that no packet's time moves another's window. */
#define WINDOW_NS 1000000000ull

void kd_bypass_shed(struct kd_engine *e, const struct kd_pkt *pkts, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		if (pkts[i].time_ns >= e->load.until_ns) {
			e->load.until_ns = (pkts[i].time_ns / WINDOW_NS + 1) * WINDOW_NS;
			e->load.pkts = 0;
		}
		if (++e->load.pkts > e->policy->settings.overload_pkts)
			e->view[i].reason = KD_REASON_BOX_OVERLOADED;
	}
}

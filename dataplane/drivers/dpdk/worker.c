/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An engine at work on packets in DPDK's buffers, and the loop of a worker that is alone: rx, engine, tx, no
 * queue in between. Carries out what the engine says and decides nothing about it. No system call but the
 * sleep of an idle round, no lock, no allocation but buffers from pools.
 */
#include <rte_ethdev.h>

#include "drivers/dpdk/parts.h"

static void leave(struct kd_worker *w, unsigned int side, struct rte_mbuf *m)
{
	w->leaving[side][w->nleaving[side]++] = m;
}

static void inject(struct kd_worker *w, const struct kd_action *a)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(a->len <= KD_SMALL_FRAME ? w->injects : w->frames);
	char *to = m != NULL ? rte_pktmbuf_append(m, (uint16_t)a->len) : NULL;

	if (to == NULL) {
		w->books.lost_out[KD_LOSS_NO_BUFFER]++;
		rte_pktmbuf_free(m);
		return;
	}
	memcpy(to, a->data, a->len);
	leave(w, a->side, m);
}

/* The buffer as the engine left it: it may have moved the first byte and the end. */
static struct rte_mbuf *fitted(const struct kd_action *a)
{
	struct rte_mbuf *m = a->handle;

	m->data_off = (uint16_t)(a->data - (uint8_t *)m->buf_addr);
	m->data_len = (uint16_t)a->len;
	m->pkt_len = a->len;
	m->ol_flags = 0;
	return m;
}

static void carry_out(struct kd_worker *w)
{
	for (uint32_t i = 0; i < w->out.count; i++) {
		const struct kd_action *a = &w->out.actions[i];

		switch (a->fate) {
		case KD_EMIT:
		case KD_REWRITE:
			leave(w, a->side, fitted(a));
			break;
		case KD_DROP:
			rte_pktmbuf_free(a->handle);
			break;
		case KD_INJECT:
			inject(w, a);
			break;
		case KD_HOLD: /* the engine's until it says more */
			break;
		}
	}
	atomic_store_explicit(&w->horizon_ns, kd_engine_horizon(w->engine), memory_order_release);
}

void kd_worker_take(struct kd_worker *w, struct rte_mbuf **m, unsigned int n)
{
	struct kd_pkt pkts[KD_LIVE_BURST];

	for (unsigned int i = 0; i < n; i++) {
		const struct kd_note *note = kd_note(m[i]);

		if (i + 4 < n)
			rte_prefetch0(rte_pktmbuf_mtod(m[i + 4], void *));
		pkts[i] = (struct kd_pkt){.data = rte_pktmbuf_mtod(m[i], uint8_t *),
			.len = m[i]->data_len,
			.wire_len = m[i]->data_len,
			.headroom = rte_pktmbuf_headroom(m[i]),
			.tailroom = rte_pktmbuf_tailroom(m[i]),
			.side = note->side,
			.link = KD_LINK_ETHERNET,
			.time_ns = note->time_ns,
			.number = note->number,
			.handle = m[i]};
	}
	kd_engine_burst(w->engine, pkts, n, &w->out);
	carry_out(w);
}

void kd_worker_advance(struct kd_worker *w, uint64_t now_ns)
{
	kd_engine_advance(w->engine, now_ns, &w->out);
	carry_out(w);
}

void kd_worker_release(struct kd_worker *w)
{
	kd_engine_release(w->engine, &w->out);
	carry_out(w);
}

void kd_view_answer(struct kd_view_of *v, const struct kd_engine *engine, const struct kd_books *books)
{
	uint32_t asked = atomic_load_explicit(&v->asked, memory_order_acquire);

	if (atomic_load_explicit(&v->answered, memory_order_relaxed) == asked)
		return;
	if (engine != NULL)
		v->engine = *kd_engine_counters(engine);
	v->books = *books;
	atomic_store_explicit(&v->answered, asked, memory_order_release);
}

void kd_worker_send(struct kd_io *io, struct kd_worker *w)
{
	for (unsigned int side = 0; side < 2; side++) {
		kd_io_send(io, side, w->leaving[side], w->nleaving[side]);
		w->nleaving[side] = 0;
	}
}

int kd_worker_alone(void *state)
{
	struct kd_live_state *s = state;
	struct kd_io *io = &s->io;
	struct kd_worker *w = &s->worker[0];
	struct rte_mbuf *m[KD_LIVE_BURST];
	uint32_t empty = 0;

	while (!io->stopping || !kd_io_empty(io)) {
		unsigned int busy = 0;

		for (unsigned int side = 0; side < 2; side++) {
			unsigned int n = kd_io_receive(io, side, m);

			if (n == 0)
				continue;
			kd_worker_take(w, m, n);
			kd_worker_send(io, w);
			busy += n;
		}
		busy += kd_io_tend(io);
		if (busy == 0) {
			uint64_t ns = kd_clock_ns(&io->clock);

			io->last_ns = ns > io->last_ns ? ns : io->last_ns;
			kd_worker_advance(w, io->last_ns);
			kd_worker_send(io, w);
		}
		kd_view_answer(&w->view, w->engine, &w->books);
		kd_view_answer(&s->io_view, NULL, &io->books);
		io->stopping = atomic_load_explicit(&s->stop, memory_order_relaxed);
		kd_idle(s, busy > 0, !kd_io_empty(io), &empty);
	}
	atomic_store_explicit(&w->done, true, memory_order_release);
	atomic_store_explicit(&s->workers_done, true, memory_order_release);
	return 0;
}

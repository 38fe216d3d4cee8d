/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Several workers: a dispatcher owns the ports and hands each packet to the worker of its inside address,
 * fragments included, so a flow and all that is keyed by its client live in one engine. What is not IP goes
 * to worker 0. Packets are stamped and numbered before they part, so the engines' records merge into the
 * order one engine would give.
 */
#include "drivers/dpdk/parts.h"
#include "engine/decode.h"
#include "engine/rng.h"

static unsigned int shard_of(struct rte_mbuf *m, unsigned int count)
{
	const struct kd_note *note = kd_note(m);
	struct kd_view v;
	const uint8_t *inside;

	kd_decode(&v, rte_pktmbuf_mtod(m, uint8_t *), m->data_len, m->data_len, KD_LINK_ETHERNET);
	if (v.ip_version == 0)
		return 0;
	inside = note->side == KD_INSIDE ? v.src : v.dst;
	/* An IPv6 subscriber is a /64 (KD_KEY_SUBSCRIBER), and is counted in one place. */
	return (unsigned int)(kd_hash_bytes(inside, v.ip_version == 4 ? 4 : 8) % count);
}

static void hand_out(struct kd_live_state *s, struct rte_mbuf **m, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		struct kd_worker *w = &s->worker[shard_of(m[i], s->nworkers)];

		if (rte_ring_sp_enqueue(w->from, m[i]) == 0)
			continue;
		s->io.books.lost_in[KD_LOSS_QUEUE_FULL]++;
		rte_pktmbuf_free(m[i]);
	}
}

/* What one worker lets go, in its order; a run of packets of one side goes out together. */
static unsigned int gather(struct kd_io *io, struct kd_worker *w)
{
	struct rte_mbuf *m[KD_LIVE_BURST];
	unsigned int n = rte_ring_sc_dequeue_burst(w->to, (void **)m, KD_LIVE_BURST, NULL);
	unsigned int at = 0;

	while (at < n) {
		unsigned int side = kd_note(m[at])->side, end = at + 1;

		while (end < n && kd_note(m[end])->side == side)
			end++;
		kd_io_send(io, side, m + at, end - at);
		at = end;
	}
	return n;
}

static bool all_done(const struct kd_live_state *s)
{
	for (unsigned int i = 0; i < s->nworkers; i++)
		if (!atomic_load_explicit(&s->worker[i].done, memory_order_acquire) ||
			!rte_ring_empty(s->worker[i].to))
			return false;
	return true;
}

/* Engines may let time pass up to here: whatever is stamped later has not been handed out yet. */
static void publish(struct kd_live_state *s)
{
	uint64_t ns = kd_clock_ns(&s->io.clock);

	s->io.last_ns = ns > s->io.last_ns ? ns : s->io.last_ns;
	atomic_store_explicit(&s->stamped_ns, s->io.last_ns, memory_order_release);
}

int kd_shard_dispatch(void *state)
{
	struct kd_live_state *s = state;
	struct kd_io *io = &s->io;
	struct rte_mbuf *m[KD_LIVE_BURST];
	uint32_t empty = 0;

	while (!io->stopping || !kd_io_empty(io) || !all_done(s)) {
		unsigned int busy = 0;

		for (unsigned int side = 0; side < 2; side++) {
			unsigned int n = kd_io_receive(io, side, m);

			hand_out(s, m, n);
			busy += n;
		}
		publish(s);
		for (unsigned int i = 0; i < s->nworkers; i++)
			busy += gather(io, &s->worker[i]);
		busy += kd_io_tend(io);
		kd_view_answer(&s->io_view, NULL, &io->books);
		io->stopping = atomic_load_explicit(&s->stop, memory_order_relaxed);
		if (io->stopping && kd_delay_count(&io->in) == 0)
			atomic_store_explicit(&s->dispatched, true, memory_order_release);
		kd_idle(s, busy > 0, !kd_io_empty(io), &empty);
	}
	atomic_store_explicit(&s->workers_done, true, memory_order_release);
	return 0;
}

/* To the dispatcher. Nobody waits for anybody: what finds its queue full is dropped and counted. */
static void let_go(struct kd_worker *w)
{
	for (unsigned int side = 0; side < 2; side++) {
		for (unsigned int i = 0; i < w->nleaving[side]; i++) {
			kd_note(w->leaving[side][i])->side = (uint8_t)side;
			if (rte_ring_sp_enqueue(w->to, w->leaving[side][i]) == 0)
				continue;
			w->books.lost_out[KD_LOSS_QUEUE_FULL]++;
			rte_pktmbuf_free(w->leaving[side][i]);
		}
		w->nleaving[side] = 0;
	}
}

int kd_shard_worker(void *shard)
{
	struct kd_live_state *s = ((struct kd_shard *)shard)->state;
	struct kd_worker *w = &s->worker[((struct kd_shard *)shard)->index];
	struct rte_mbuf *m[KD_LIVE_BURST];
	uint32_t empty = 0;

	for (;;) {
		/* both read before the queue: a queue found empty after them holds nothing older */
		bool last = atomic_load_explicit(&s->dispatched, memory_order_acquire);
		uint64_t stamped_ns = atomic_load_explicit(&s->stamped_ns, memory_order_acquire);
		unsigned int n = rte_ring_sc_dequeue_burst(w->from, (void **)m, KD_LIVE_BURST, NULL);

		for (unsigned int i = 0; i < n; i++)
			w->books.misdelivered += shard_of(m[i], w->count) != w->index;
		if (n > 0)
			kd_worker_take(w, m, n);
		else if (stamped_ns > 0)
			kd_worker_advance(w, stamped_ns);
		let_go(w);
		kd_view_answer(&w->view, w->engine, &w->books);
		if (n == 0 && last)
			break;
		kd_idle(s, n > 0, false, &empty);
	}
	atomic_store_explicit(&w->done, true, memory_order_release);
	return 0;
}

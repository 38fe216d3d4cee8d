/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Two net_null ports in this process and the loops over them, so that the engine and its yardstick, io
 * forwarding, share ports, pool, core and clock. The pool is like testpmd's: a cache that gives back the
 * buffers last used. Nothing here prints a figure.
 */
#include "drivers/dpdk/bench.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_version.h>

#include "drivers/dpdk/parts.h"

#define BUFFERS 16383
#define CACHE 250 /* testpmd's */
#define MEMORY_MB 64

struct kd_bench_ports {
	struct kd_live live;
	struct kd_live_state s;
	struct kd_worker *worker;
};

static int set_up(struct kd_bench_ports *p)
{
	uint16_t room, note = RTE_ALIGN(sizeof(struct kd_note), RTE_MBUF_PRIV_ALIGN);
	int rc = kd_ports_open(&p->s, &room);

	if (rc != 0)
		return rc;
	p->s.pool = rte_pktmbuf_pool_create("bench", BUFFERS, CACHE, note, room, SOCKET_ID_ANY);
	if (p->s.pool == NULL)
		return kd_live_say("no memory for %u buffers", BUFFERS);
	p->worker->injects = p->worker->frames = p->s.pool;
	p->worker->out = (struct kd_out){.actions = p->worker->actions, .room = KD_LIVE_ACTIONS};
	return kd_ports_start(&p->s);
}

int kd_bench_ports_open(struct kd_bench_ports **ret, unsigned int verbose)
{
	struct kd_bench_ports *p = calloc(1, sizeof(*p));
	int rc;

	if (p == NULL || posix_memalign((void **)&p->worker, 64, sizeof(*p->worker)) != 0) {
		free(p);
		return kd_live_say("out of memory");
	}
	memset(p->worker, 0, sizeof(*p->worker));
	p->live = (struct kd_live){
		.port = {"net_null0,size=64", "net_null1,size=64"}, .workers = 1, .verbose = verbose};
	p->s.live = &p->live;
	rc = kd_eal_start(&p->live, MEMORY_MB << 20, 1);
	if (rc != 0) {
		free(p->worker);
		free(p);
		return rc;
	}
	rc = set_up(p);
	if (rc != 0) {
		kd_bench_ports_close(p);
		return rc;
	}
	*ret = p;
	return 0;
}

void kd_bench_ports_close(struct kd_bench_ports *p)
{
	char why[512], dir[PATH_MAX];
	struct kd_hush hush;

	if (p == NULL)
		return;
	kd_ports_close(&p->s);
	rte_mempool_free(p->s.pool);
	kd_eal_hush(&hush, &p->live);
	snprintf(dir, sizeof(dir), "%s", rte_eal_get_runtime_dir());
	rte_eal_cleanup();
	rmdir(dir);
	kd_eal_unhush(&hush, why, sizeof(why));
	free(p->worker);
	free(p);
}

const char *kd_bench_dpdk_version(void)
{
	return rte_version();
}

static void send_burst(uint16_t port, struct rte_mbuf **m, uint16_t n)
{
	uint16_t took = rte_eth_tx_burst(port, 0, m, n);

	if (unlikely(took < n))
		rte_pktmbuf_free_bulk(m + took, n - took);
}

/* What a NIC would have done. By whole lines: a copy of unknown length costs a call. */
static inline void write_frames(struct rte_mbuf **m, uint8_t *const *frame, uint32_t len)
{
	for (unsigned int i = 0; i < KD_BENCH_BURST; i++) {
		memcpy(rte_pktmbuf_mtod(m[i], void *), frame[i], 64);
		if (len > 64)
			memcpy(rte_pktmbuf_mtod_offset(m[i], void *, 64), frame[i] + 64, 64);
		m[i]->data_len = (uint16_t)len;
		m[i]->pkt_len = len;
	}
}

static bool io(struct kd_bench_ports *p, const struct kd_bench_load *load)
{
	struct rte_mbuf *m[KD_BENCH_BURST];

	for (uint32_t at = 0; at < load->n; at += KD_BENCH_BURST) {
		unsigned int side = at / KD_BENCH_BURST & 1;
		uint16_t n = rte_eth_rx_burst(p->s.io.port[side], 0, m, KD_BENCH_BURST);

		if (unlikely(n < KD_BENCH_BURST))
			return false;
		send_burst(p->s.io.port[side ^ 1], m, n);
	}
	return true;
}

static bool write_only(struct kd_bench_ports *p, const struct kd_bench_load *load)
{
	struct rte_mbuf *m[KD_BENCH_BURST];

	for (uint32_t at = 0; at < load->n; at += KD_BENCH_BURST) {
		unsigned int side = at / KD_BENCH_BURST & 1;
		uint16_t n = rte_eth_rx_burst(p->s.io.port[side], 0, m, KD_BENCH_BURST);

		if (unlikely(n < KD_BENCH_BURST))
			return false;
		write_frames(m, load->frame + at, load->len);
		send_burst(p->s.io.port[side ^ 1], m, n);
	}
	return true;
}

/* Buffers that leave by one port, a burst at a time. */
struct leaving {
	struct rte_mbuf *m[KD_BENCH_BURST];
	uint16_t n;
};

static void leave(struct kd_bench_ports *p, struct leaving *l, unsigned int side, struct rte_mbuf *m)
{
	l->m[l->n++] = m;
	if (unlikely(l->n == KD_BENCH_BURST)) {
		send_burst(p->s.io.port[side], l->m, l->n);
		l->n = 0;
	}
}

static struct rte_mbuf *injected(struct kd_bench_ports *p, const struct kd_action *a)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(p->s.pool);
	char *to = m != NULL ? rte_pktmbuf_append(m, (uint16_t)a->len) : NULL;

	if (to != NULL)
		memcpy(to, a->data, a->len);
	return m;
}

/* The least a driver can do: every action carried out. */
static void carry_out(struct kd_bench_ports *p)
{
	const struct kd_out *out = &p->worker->out;
	struct leaving leaving[2];

	leaving[0].n = leaving[1].n = 0;
	for (uint32_t i = 0; i < out->count; i++) {
		const struct kd_action *a = &out->actions[i];
		struct rte_mbuf *b = a->handle;

		if (a->fate == KD_DROP) {
			rte_pktmbuf_free(b);
		} else if (a->fate == KD_EMIT || a->fate == KD_REWRITE) {
			b->data_off = (uint16_t)(a->data - (uint8_t *)b->buf_addr);
			b->data_len = (uint16_t)a->len;
			b->pkt_len = a->len;
			leave(p, &leaving[a->side], a->side, b);
		} else if (a->fate == KD_INJECT) {
			b = injected(p, a);
			if (b != NULL)
				leave(p, &leaving[a->side], a->side, b);
		}
	}
	for (unsigned int side = 0; side < 2; side++)
		if (leaving[side].n > 0)
			send_burst(p->s.io.port[side], leaving[side].m, leaving[side].n);
}

/* Every packet stamped, every action carried out. */
static void engine_burst(struct kd_bench_ports *p, struct kd_engine *engine, struct rte_mbuf **m,
	unsigned int side, uint64_t now_ns)
{
	struct kd_pkt pkts[KD_BENCH_BURST];

	for (unsigned int i = 0; i < KD_BENCH_BURST; i++)
		pkts[i] = (struct kd_pkt){.data = rte_pktmbuf_mtod(m[i], uint8_t *),
			.len = m[i]->data_len,
			.wire_len = m[i]->data_len,
			.headroom = RTE_PKTMBUF_HEADROOM,
			.tailroom = (uint16_t)(RTE_MBUF_DEFAULT_DATAROOM - m[i]->data_len),
			.side = (uint8_t)side,
			.link = KD_LINK_ETHERNET,
			.time_ns = now_ns,
			.number = ++p->s.io.number,
			.handle = m[i]};
	kd_engine_burst(engine, pkts, KD_BENCH_BURST, &p->worker->out);
	carry_out(p);
}

static bool with_engine(struct kd_bench_ports *p, const struct kd_bench_load *load, struct kd_engine *engine)
{
	struct rte_mbuf *m[KD_BENCH_BURST];

	for (uint32_t at = 0; at < load->n; at += KD_BENCH_BURST) {
		unsigned int side = at / KD_BENCH_BURST & 1;
		uint16_t n = rte_eth_rx_burst(p->s.io.port[side], 0, m, KD_BENCH_BURST);

		if (unlikely(n < KD_BENCH_BURST))
			return false;
		write_frames(m, load->frame + at, load->len);
		engine_burst(p, engine, m, side, kd_clock_ns(&p->s.io.clock));
	}
	return true;
}

/* What kd_worker_alone does in a round, but for the writing. */
static bool as_live(struct kd_bench_ports *p, const struct kd_bench_load *load, struct kd_engine *engine)
{
	struct rte_mbuf *m[KD_LIVE_BURST];
	struct kd_worker *w = p->worker;
	struct kd_io *live = &p->s.io;

	w->engine = engine;
	for (uint32_t at = 0; at < load->n; at += KD_BENCH_BURST) {
		unsigned int side = at / KD_BENCH_BURST & 1;

		if (unlikely(kd_io_receive(live, side, m) < KD_BENCH_BURST))
			return false;
		write_frames(m, load->frame + at, load->len);
		kd_worker_take(w, m, KD_BENCH_BURST);
		for (unsigned int to = 0; to < 2; to++) {
			kd_io_send(live, to, w->leaving[to], w->nleaving[to]);
			w->nleaving[to] = 0;
		}
		kd_io_tend(live);
		kd_view_answer(&w->view, engine, &w->books);
		kd_view_answer(&p->s.io_view, NULL, &live->books);
	}
	return true;
}

_Static_assert(KD_BENCH_BURST == KD_LIVE_BURST, "the loops are compared");

/* What is held leaves when its time has come, with no packet to say so. */
static void let_go(struct kd_bench_ports *p, struct kd_engine *engine, struct kd_bench_clock *clock)
{
	while (kd_bench_due(engine, clock)) {
		p->s.io.clock.base_ns = clock->base_ns;
		kd_engine_advance(engine,
			clock->base_ns +
				(uint64_t)((unsigned __int128)clock->elapsed * clock->ns_per_tick >> 32),
			&p->worker->out);
		carry_out(p);
	}
}

uint64_t kd_bench_ports_run(struct kd_bench_ports *p, enum kd_bench_loop loop,
	const struct kd_bench_load *load, struct kd_engine *engine, struct kd_bench_clock *clock)
{
	unsigned int home = rte_mempool_avail_count(p->s.pool);
	uint64_t start = rte_rdtsc(), ticks;
	bool whole;

	p->s.io.clock = (struct kd_clock){.base_tsc = start - clock->elapsed,
		.base_ns = clock->base_ns,
		.ns_per_tick = clock->ns_per_tick};
	switch (loop) {
	case KD_BENCH_IO:
		whole = io(p, load);
		break;
	case KD_BENCH_WRITE:
		whole = write_only(p, load);
		break;
	case KD_BENCH_ENGINE:
		whole = with_engine(p, load, engine);
		break;
	default:
		whole = as_live(p, load, engine);
	}
	ticks = rte_rdtsc() - start;
	if (loop == KD_BENCH_ENGINE || loop == KD_BENCH_LIVE) {
		clock->elapsed += ticks;
		let_go(p, engine, clock);
	}
	return whole && rte_mempool_avail_count(p->s.pool) == home ? ticks : 0;
}

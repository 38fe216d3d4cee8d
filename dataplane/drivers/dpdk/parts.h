/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the parts of the live driver share: the note that travels with a buffer, the clock, the driver's own
 * books, a bounded line of packets that wait for their time, the ports, the workers. Only files of
 * drivers/dpdk include this.
 *
 * Who runs what: one thread (the only worker, or the dispatcher in front of several) owns `struct kd_io`,
 * i.e. both ports, the delay lines and the stamps; each worker owns an engine; the main thread owns files and
 * the counters' view.
 */
#ifndef KD_LIVE_PARTS_H
#define KD_LIVE_PARTS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include <rte_cycles.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

#include "drivers/dpdk/live.h"
#include "engine/engine.h"

/* Bytes of injected frames that need no buffer of a whole one. */
#define KD_SMALL_FRAME 256
#define KD_LIVE_BURST 32
#define KD_LIVE_ACTIONS KD_OUT_ROOM(KD_LIVE_BURST)
#define KD_LIVE_WORKERS_MAX 16
#define KD_LIVE_QUEUE 2048 /* packets between the dispatcher and a worker, either way */

/* Numbered like the commands' exit codes. */
enum kd_live_end {
	KD_LIVE_OK = 0,
	KD_LIVE_USAGE = 2,
	KD_LIVE_ENVIRONMENT = 5,
	KD_LIVE_INTERNAL = 6,
	KD_LIVE_INCONCLUSIVE = 75
};

/* One line on stderr, "kordon: ..."; returns KD_LIVE_ENVIRONMENT. */
int kd_live_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* --- the clock
 * ---------------------------------------------------------------------------------------------------- */

/* The TSC as ns since the epoch, tied to CLOCK_REALTIME once; never goes back. */
struct kd_clock {
	uint64_t base_tsc, base_ns;
	uint64_t ns_per_tick; /* fixed point, 32 bits of fraction */
};

void kd_clock_start(struct kd_clock *c);

static inline uint64_t kd_clock_ns(const struct kd_clock *c)
{
	unsigned __int128 ns = (unsigned __int128)(rte_rdtsc() - c->base_tsc) * c->ns_per_tick;

	return c->base_ns + (uint64_t)(ns >> 32);
}

/* --- what travels with a buffer
 * ----------------------------------------------------------------------------------- */

struct kd_note {
	uint64_t time_ns; /* on entry */
	uint64_t number;
	uint8_t side; /* it came from; between a worker and the dispatcher: it leaves by */
};

static inline struct kd_note *kd_note(struct rte_mbuf *m)
{
	return rte_mbuf_to_priv(m);
}

/* --- books
 * -------------------------------------------------------------------------------------------------------- */

/* Why the driver, not the engine, lost a packet. X(symbol, name, sentence) */
#define KD_LOSSES(X)                                                                                         \
	X(MULTI_SEGMENT, "driver.multi_segment", "longer than a buffer")                                     \
	X(NO_BUFFER, "driver.no_buffer", "no buffer for an injected packet")                                 \
	X(DELAY_FULL, "lab.delay_full", "the delay line is full")                                            \
	X(QUEUE_FULL, "shard.queue_full", "a worker's queue is full")                                        \
	X(TX_FULL, "tx.full", "the port took no more")

enum kd_loss {
#define X(symbol, name, sentence) KD_LOSS_##symbol,
	KD_LOSSES(X)
#undef X
		KD_LOSS_COUNT
};

const char *kd_loss_name(unsigned int loss);
const char *kd_loss_sentence(unsigned int loss);

/* The driver's side of conservation:
 * received = engine's in + lost_in + waiting_in;  engine's out = sent + lost_out + waiting_out. */
struct kd_books {
	uint64_t received[2], sent[2]; /* by enum kd_side of the port */
	uint64_t lost_in[KD_LOSS_COUNT], lost_out[KD_LOSS_COUNT];
	uint64_t waiting_in, waiting_out;
	uint64_t misdelivered; /* shard.misdelivered */
	uint64_t capture_lost; /* capture.lost */
};

void kd_books_add(struct kd_books *sum, const struct kd_books *b);

/* --- packets that wait
 * -------------------------------------------------------------------------------------------- */

struct kd_waiting {
	struct rte_mbuf *m;
	uint64_t due_ns;
};

/* First in, first out: everybody waits equally long. */
struct kd_delay {
	struct kd_waiting *slot; /* NULL: no delay */
	uint32_t mask, head, tail;
};

static inline uint32_t kd_delay_count(const struct kd_delay *d)
{
	return d->head - d->tail;
}

static inline bool kd_delay_put(struct kd_delay *d, struct rte_mbuf *m, uint64_t due_ns)
{
	if (kd_delay_count(d) > d->mask)
		return false;
	d->slot[d->head++ & d->mask] = (struct kd_waiting){m, due_ns};
	return true;
}

static inline unsigned int kd_delay_take(
	struct kd_delay *d, struct rte_mbuf **m, unsigned int max, uint64_t now_ns)
{
	unsigned int n = 0;

	while (n < max && d->tail != d->head && d->slot[d->tail & d->mask].due_ns <= now_ns)
		m[n++] = d->slot[d->tail++ & d->mask].m;
	return n;
}

/* --- ports
 * -------------------------------------------------------------------------------------------------------- */

struct kd_io {
	struct kd_clock clock;
	uint16_t port[2]; /* by enum kd_side */
	uint64_t delay_ns;
	struct kd_delay in, out; /* of the outside port */
	uint64_t last_ns;	 /* latest stamp */
	uint64_t number;	 /* of the latest packet on entry */
	bool stopping;		 /* nothing more is taken from the ports */
	struct rte_mempool *copies;
	struct rte_ring *capture; /* NULL: none is written */
	struct kd_books books;
};

/* io.c. Takes up to KD_LIVE_BURST packets that came from side (or, delayed, are due now), stamped and
 * numbered. */
unsigned int kd_io_receive(struct kd_io *io, unsigned int side, struct rte_mbuf **m);
/* Sends, or lets wait, n packets that leave by side; all buffers are taken over. */
void kd_io_send(struct kd_io *io, unsigned int side, struct rte_mbuf **m, unsigned int n);
/* Sends what is due; how many. */
unsigned int kd_io_tend(struct kd_io *io);

static inline bool kd_io_empty(const struct kd_io *io)
{
	return kd_delay_count(&io->in) == 0 && kd_delay_count(&io->out) == 0;
}

/* --- workers
 * ------------------------------------------------------------------------------------------------------ */

/* Counters as another thread may see them: it asks, their owner answers when it comes by. */
struct kd_view_of {
	_Atomic uint32_t asked, answered;
	struct kd_counters engine;
	struct kd_books books;
};

struct kd_worker {
	struct kd_engine *engine;
	unsigned int index, count;
	struct rte_mempool *injects, *frames; /* for small frames, and for whole ones */
	struct rte_ring *from, *to;	      /* several workers: packets from and to the dispatcher */
	_Atomic uint64_t horizon_ns;
	_Atomic bool done;
	struct kd_books books;
	struct kd_view_of view;
	struct kd_out out;
	struct kd_action actions[KD_LIVE_ACTIONS];
	struct rte_mbuf *leaving[2][KD_LIVE_ACTIONS];
	unsigned int nleaving[2];
} __rte_cache_aligned;

struct kd_live_state {
	const struct kd_live *live;
	struct kd_io io;
	struct kd_view_of io_view;
	struct kd_worker *worker;
	unsigned int nworkers;
	uint32_t idle_sleep_us; /* 0 = busy */
	_Atomic bool stop;
	_Atomic bool dispatched; /* several workers: nothing more will be handed to them */
	_Atomic bool workers_done;
	bool *bypassed;		     /* the main thread's: of each rule as last asked for, [0] the box */
	uint64_t bans_untold;	     /* the main thread's: a worker had no room to hear of a ban */
	_Atomic uint64_t stamped_ns; /* every packet stamped before this has been handed to its worker */
	struct rte_mempool *pool, *injects, *copies;
	unsigned int pool_start[3];
	bool pool_kept; /* a driver keeps packet buffers past the end: they cannot be compared */
};

/* Gives n <= KD_LIVE_BURST packets to the engine; what leaves stands in w->leaving. */
void kd_worker_take(struct kd_worker *w, struct rte_mbuf **m, unsigned int n);
void kd_worker_advance(struct kd_worker *w, uint64_t now_ns);
/* What leaves is sent, or waits in the delay line; for whoever owns both. */
void kd_worker_send(struct kd_io *io, struct kd_worker *w);
/* The run is over: what the engine still holds is dropped. */
void kd_worker_release(struct kd_worker *w);
void kd_view_answer(struct kd_view_of *v, const struct kd_engine *engine, const struct kd_books *books);

/* Bodies of threads; the argument is a struct kd_live_state, or for kd_shard_worker one struct kd_shard. */
int kd_worker_alone(void *state);
int kd_shard_dispatch(void *state);
struct kd_shard {
	struct kd_live_state *state;
	unsigned int index;
};
int kd_shard_worker(void *shard);

#define KD_EMPTY_SLEEP 200 /* empty rounds before the first sleep */
#define KD_EMPTY_LONG                                                                                        \
	1200 /* and before sleeps are four times as long, unless a packet waits for its time                 \
	      */

/* The one system call of a worker, made when there is nothing to forward. */
static inline void kd_idle(const struct kd_live_state *s, bool busy, bool waiting, uint32_t *empty)
{
	uint32_t us = s->idle_sleep_us;

	if (busy) {
		*empty = 0;
		return;
	}
	*empty += *empty < KD_EMPTY_LONG;
	if (*empty < KD_EMPTY_SLEEP || us == 0) {
		rte_pause();
		return;
	}
	if (waiting && *empty > KD_EMPTY_SLEEP)
		*empty = KD_EMPTY_SLEEP;
	if (*empty == KD_EMPTY_LONG)
		us *= 4;
	nanosleep(&(struct timespec){.tv_sec = us / 1000000, .tv_nsec = (long)(us % 1000000) * 1000}, NULL);
}

/* --- set-up, files, reports
 * --------------------------------------------------------------------------------------- */

/* eal.c: whether this can work at all, said if not; starts EAL. 0 or an enum kd_live_end. */
int kd_eal_preflight(const struct kd_live *live);
int kd_eal_start(const struct kd_live *live, size_t memory_need, unsigned int lcores);
/* What DPDK prints is kept back between these two (not under -v); the second gives its most telling line, or
 * "". */
struct kd_hush {
	int file, out, err; /* file -1: nothing is kept back */
};
void kd_eal_hush(struct kd_hush *h, const struct kd_live *live);
void kd_eal_unhush(struct kd_hush *h, char *buf, size_t room);
bool kd_port_is_pci(const char *port);

/* port.c: opens both, sized by their MTU; starts them; gives them back. */
int kd_ports_open(struct kd_live_state *s, uint16_t *ret_room);
int kd_ports_start(struct kd_live_state *s);
void kd_ports_close(struct kd_live_state *s);

/* desk.c: the main thread's work. */
struct kd_desk;
int kd_desk_open(struct kd_desk **ret, struct kd_live_state *s);
/* One round; how many records and packets were written. */
unsigned int kd_desk_round(struct kd_desk *d);
/* The engines are at rest: their last records, and the files closed. 0 or an enum kd_live_end. */
int kd_desk_finish(struct kd_desk *d, uint64_t end_ns);
/* A switch that is to be thrown at that time, for the capture's replay; rule NULL = the whole box. */
void kd_desk_switch(struct kd_desk *d, const char *rule, bool on, uint64_t from_ns);
int kd_desk_failed(const struct kd_desk *d);
void kd_desk_close(struct kd_desk *d);

/* control.c: the socket of `kordon stats` and `kordon bypass`. */
int kd_control_open(const char *path);
void kd_control_close(int fd, const char *path);
void kd_control_serve(int fd, struct kd_live_state *s, struct kd_desk *d);

/* books.c: sums over the workers, as of their last answer (or now, when they are at rest). */
void kd_live_sums(struct kd_live_state *s, struct kd_counters *engine, struct kd_books *books);
void kd_live_collect(struct kd_live_state *s);
/* Says how the run ended; 0, KD_LIVE_INTERNAL, or KD_LIVE_INCONCLUSIVE: the capture has holes. */
int kd_live_report(struct kd_live_state *s);

#endif

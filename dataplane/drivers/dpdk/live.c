/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A live run from its preflight to its books: what is set up in which order, what the main thread waits for,
 * and how it all is taken down. Forwards nothing itself.
 */
#include "drivers/dpdk/live.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_launch.h>
#include <rte_malloc.h>

#include "drivers/dpdk/parts.h"

#define POOL_CACHE 64
#define POOL_BASE 4096	 /* queues of both ports, bursts, caches */
#define DELAY_SLOTS 8192 /* each way: 18 ms at 450 k packets/s */
#define COPIES 8192
#define INJECTS 1024
#define INJECT_ROOM (RTE_PKTMBUF_HEADROOM + KD_SMALL_FRAME)
#define BUFFER_BYTES (RTE_MBUF_DEFAULT_BUF_SIZE + sizeof(struct rte_mbuf) + sizeof(struct kd_note) + 128)
#define FLOWS4_MAX (1u << 18)
#define FLOWS6_MAX (1u << 16)
#define EVENTS_MAX (1u << 14)
#define BAN_NOTES (1u << 10)
#define BUSY_MS 1
#define IDLE_MS 10

struct run {
	struct kd_live_state s;
	struct kd_shard shard[KD_LIVE_WORKERS_MAX];
	struct kd_desk *desk;
	int signals, control;
	bool eal, launched, ready;
};

static unsigned int lcores_needed(const struct kd_live *live)
{
	return live->workers == 1 ? 2 : live->workers + 2;
}

/* Service cores are counted by rte_lcore_count and run nothing of ours. */
static unsigned int lcores_there(void)
{
	unsigned int lcore, n = 1;

	RTE_LCORE_FOREACH_WORKER(lcore)
	n++;
	return n;
}

/* Its driver fills the kernel's queues at start and keeps what is in them until the process ends. */
static bool has_af_xdp(const struct kd_live *live)
{
	static const char name[] = "net_af_xdp";

	return strncmp(live->port[0], name, sizeof(name) - 1) == 0 ||
	       strncmp(live->port[1], name, sizeof(name) - 1) == 0;
}

static unsigned int pool_size(const struct kd_live *live)
{
	unsigned int n = (has_af_xdp(live) ? 3 : 1) * POOL_BASE + lcores_needed(live) * 2 * POOL_CACHE;

	n += live->workers * KD_HELD_MAX;
	if (live->delay_ns > 0)
		n += 2 * DELAY_SLOTS;
	if (live->workers > 1)
		n += live->workers * 2 * KD_LIVE_QUEUE;
	return n;
}

static size_t memory_need(const struct kd_live *live)
{
	size_t n = pool_size(live) + INJECTS / 4 + (live->capture != NULL ? COPIES : 0);

	return n * BUFFER_BYTES + (size_t)(live->workers + 1) * 2 * KD_LIVE_QUEUE * sizeof(void *);
}

static struct rte_mempool *pool_new(const char *name, unsigned int n, uint16_t room)
{
	uint16_t note = RTE_ALIGN(sizeof(struct kd_note), RTE_MBUF_PRIV_ALIGN);

	return rte_pktmbuf_pool_create(name, n, POOL_CACHE, note, room, SOCKET_ID_ANY);
}

static int make_pools(struct kd_live_state *s, uint16_t room)
{
	s->pool = pool_new("packets", pool_size(s->live), room);
	s->injects = pool_new("injects", INJECTS, INJECT_ROOM);
	if (s->live->capture != NULL)
		s->copies = pool_new("copies", COPIES, room);
	if (s->pool == NULL || s->injects == NULL || (s->live->capture != NULL && s->copies == NULL))
		return kd_live_say(
			"no memory for %u packet buffers: %s; give more: -- --no-huge -m MEGABYTES",
			pool_size(s->live), rte_strerror(rte_errno));
	s->pool_start[0] = rte_mempool_avail_count(s->pool);
	s->pool_start[1] = rte_mempool_avail_count(s->injects);
	s->pool_start[2] = s->copies != NULL ? rte_mempool_avail_count(s->copies) : 0;
	return 0;
}

static int make_delay(struct kd_live_state *s)
{
	struct kd_io *io = &s->io;

	io->delay_ns = s->live->delay_ns;
	if (io->delay_ns == 0)
		return 0;
	io->in.slot = calloc(DELAY_SLOTS, sizeof(*io->in.slot));
	io->out.slot = calloc(DELAY_SLOTS, sizeof(*io->out.slot));
	io->in.mask = io->out.mask = DELAY_SLOTS - 1;
	return io->in.slot != NULL && io->out.slot != NULL ? 0 : kd_live_say("out of memory");
}

static struct rte_ring *ring_new(const char *kind, unsigned int i, unsigned int size)
{
	char name[32];

	snprintf(name, sizeof(name), "%s%u", kind, i);
	return rte_ring_create(name, size, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
}

static int make_worker(struct kd_live_state *s, unsigned int i)
{
	struct kd_engine_config config = KD_ENGINE_CONFIG_DEFAULT;
	struct kd_worker *w = &s->worker[i];
	int rc;

	config.policy = s->live->policy;
	config.guard = s->live->guard;
	config.seed = s->live->seed;
	config.flows4_max = FLOWS4_MAX;
	config.flows6_max = FLOWS6_MAX;
	config.events_max = EVENTS_MAX;
	config.switches_untold = i > 0;
	config.ban_notes = s->nworkers > 1 ? BAN_NOTES : 0;
	rc = kd_engine_new(&w->engine, &config);
	if (rc < 0)
		return kd_live_say("engine: %s", strerror(-rc));
	w->index = i;
	w->count = s->nworkers;
	w->injects = s->injects;
	w->frames = s->pool;
	w->out = (struct kd_out){.actions = w->actions, .room = KD_LIVE_ACTIONS};
	if (s->nworkers == 1)
		return 0;
	w->from = ring_new("from", i, KD_LIVE_QUEUE);
	w->to = ring_new("to", i, KD_LIVE_QUEUE);
	return w->from != NULL && w->to != NULL ? 0 : kd_live_say("queues: %s", rte_strerror(rte_errno));
}

static int make_workers(struct kd_live_state *s)
{
	int rc = 0;

	s->worker = aligned_alloc(RTE_CACHE_LINE_SIZE, s->live->workers * sizeof(*s->worker));
	if (s->worker == NULL)
		return kd_live_say("out of memory");
	memset(s->worker, 0, s->live->workers * sizeof(*s->worker));
	s->nworkers = s->live->workers;
	s->bypassed = calloc(s->live->policy->nrules + 1, sizeof(*s->bypassed));
	if (s->bypassed == NULL)
		return kd_live_say("out of memory");
	for (unsigned int i = 0; i < s->nworkers && rc == 0; i++)
		rc = make_worker(s, i);
	if (rc == 0 && s->live->capture != NULL) {
		s->io.copies = s->copies;
		s->io.capture = ring_new("capture", 0, COPIES);
		if (s->io.capture == NULL)
			rc = kd_live_say("queues: %s", rte_strerror(rte_errno));
	}
	return rc;
}

static int set_up(struct run *r)
{
	struct kd_live_state *s = &r->s;
	uint16_t room = 0;
	int rc;

	rc = kd_eal_start(s->live, memory_need(s->live), lcores_needed(s->live));
	if (rc != 0)
		return rc;
	r->eal = true;
	if (lcores_there() < lcores_needed(s->live))
		return kd_live_say(
			"%u logical cores, but %u workers need %u; leave -l and --lcores out, or name more",
			lcores_there(), s->live->workers, lcores_needed(s->live));
	rc = kd_ports_open(s, &room);
	if (rc == 0)
		rc = make_pools(s, room);
	if (rc == 0)
		rc = make_delay(s);
	if (rc == 0)
		rc = make_workers(s);
	if (rc == 0)
		rc = kd_desk_open(&r->desk, s);
	if (rc == 0 && s->live->stats_socket != NULL) {
		r->control = kd_control_open(s->live->stats_socket);
		rc = r->control < 0 ? -r->control : 0;
	}
	s->pool_kept = has_af_xdp(s->live);
	return rc == 0 ? kd_ports_start(s) : rc;
}

/* Nothing ran: nobody else will say that the workers are done. */
static int launch(struct run *r)
{
	struct kd_live_state *s = &r->s;
	unsigned int lcore = rte_get_next_lcore(-1, 1, 0), i;
	int rc;

	kd_clock_start(&s->io.clock);
	r->launched = true;
	rc = rte_eal_remote_launch(s->nworkers == 1 ? kd_worker_alone : kd_shard_dispatch, s, lcore);
	for (i = 0; rc == 0 && s->nworkers > 1 && i < s->nworkers; i++) {
		lcore = rte_get_next_lcore(lcore, 1, 0);
		r->shard[i] = (struct kd_shard){.state = s, .index = i};
		rc = rte_eal_remote_launch(kd_shard_worker, &r->shard[i], lcore);
	}
	if (rc == 0)
		return 0;
	atomic_store_explicit(&s->stop, true, memory_order_relaxed);
	if (i == 0)
		atomic_store_explicit(&s->workers_done, true, memory_order_release);
	return kd_live_say("cannot start a worker: %s", strerror(-rc));
}

static int tell_ready(struct run *r)
{
	const struct kd_live *live = r->s.live;
	int fd;

	if (live->ready_file == NULL)
		return 0;
	fd = open(live->ready_file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd < 0)
		return kd_live_say("%s: %s", live->ready_file, strerror(errno));
	close(fd);
	r->ready = true;
	return 0;
}

static uint64_t monotonic_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* One signal is enough; the next ends the process, for whoever is in a hurry. */
static void hurry(struct run *r)
{
	struct signalfd_siginfo taken;
	sigset_t set;

	if (r->signals < 0)
		return;
	while (read(r->signals, &taken, sizeof(taken)) > 0) /* or it would be the next */
		;
	close(r->signals);
	r->signals = -1;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

/* Until a signal, the time given, or a failure; then until the workers have let go of everything. */
static void attend(struct run *r)
{
	struct kd_live_state *s = &r->s;
	uint64_t until_ns =
		s->live->seconds > 0 ? monotonic_ns() + s->live->seconds * 1000000000u : UINT64_MAX;
	bool busy = true;

	while (!atomic_load_explicit(&s->workers_done, memory_order_acquire)) {
		struct pollfd fds[2] = {
			{.fd = r->signals, .events = POLLIN}, {.fd = r->control, .events = POLLIN}};

		if (poll(fds, 2, busy ? BUSY_MS : IDLE_MS) > 0 && (fds[1].revents & POLLIN) != 0)
			kd_control_serve(r->control, s, r->desk);
		if ((fds[0].revents & POLLIN) != 0 || kd_desk_failed(r->desk) != 0 ||
			monotonic_ns() >= until_ns) {
			atomic_store_explicit(&s->stop, true, memory_order_relaxed);
			hurry(r);
		}
		busy = kd_desk_round(r->desk) > 0;
	}
}

static int forward(struct run *r)
{
	struct kd_live_state *s = &r->s;
	uint64_t end_ns;
	int rc = launch(r);

	if (rc == 0)
		rc = tell_ready(r);
	if (rc != 0)
		atomic_store_explicit(&s->stop, true, memory_order_relaxed);
	attend(r);
	rte_eal_mp_wait_lcore();
	end_ns = kd_clock_ns(&s->io.clock);
	if (end_ns < s->io.last_ns)
		end_ns = s->io.last_ns;
	if (kd_desk_finish(r->desk, end_ns) != 0)
		rc = KD_LIVE_ENVIRONMENT;
	return rc;
}

static void take_down(struct run *r)
{
	struct kd_live_state *s = &r->s;

	kd_control_close(r->control, s->live->stats_socket);
	kd_desk_close(r->desk);
	for (unsigned int i = 0; s->worker != NULL && i < s->nworkers; i++) {
		kd_engine_free(s->worker[i].engine);
		rte_ring_free(s->worker[i].from);
		rte_ring_free(s->worker[i].to);
	}
	free(s->worker);
	free(s->bypassed);
	rte_ring_free(s->io.capture);
	free(s->io.in.slot);
	free(s->io.out.slot);
	if (r->eal) {
		struct kd_hush hush;
		char why[512], dir[PATH_MAX];

		rte_mempool_free(s->pool);
		rte_mempool_free(s->injects);
		rte_mempool_free(s->copies);
		kd_eal_hush(&hush, s->live);
		snprintf(dir, sizeof(dir), "%s", rte_eal_get_runtime_dir());
		rte_eal_cleanup();
		rmdir(dir); /* EAL makes it even where it shares nothing; not empty, it is somebody's */
		kd_eal_unhush(&hush, why, sizeof(why));
	}
}

static bool is_virtual(const struct kd_live *live)
{
	return !kd_port_is_pci(live->port[0]) && !kd_port_is_pci(live->port[1]);
}

int kd_live_run(const struct kd_live *live)
{
	struct run *r;
	sigset_t set;
	int rc, report;

	if (live->workers < 1 || live->workers > KD_LIVE_WORKERS_MAX)
		return kd_live_say(
			"%u workers: from 1 to %u are possible", live->workers, KD_LIVE_WORKERS_MAX);
	rc = kd_eal_preflight(live);
	if (rc != 0)
		return rc;
	if (live->ready_file != NULL && access(live->ready_file, F_OK) == 0)
		return kd_live_say("%s: is there already; a --ready-file must not be", live->ready_file);
	r = calloc(1, sizeof(*r));
	if (r == NULL)
		return kd_live_say("out of memory");
	r->control = -1;
	r->s.live = live;
	r->s.idle_sleep_us = is_virtual(live) ? live->idle_sleep_us : 0;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	signal(SIGPIPE, SIG_IGN);
	sigprocmask(SIG_BLOCK, &set, NULL); /* before DPDK's threads, which inherit it */
	r->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	prctl(PR_SET_TIMERSLACK, 1ul);
	rc = r->signals < 0 ? kd_live_say("signals: %s", strerror(errno)) : set_up(r);
	if (rc == 0) {
		rc = forward(r);
		kd_ports_close(&r->s);
		report = kd_live_report(&r->s);
		rc = rc == 0 ? report : rc;
	} else if (r->eal) {
		kd_ports_close(&r->s);
	}
	if (r->ready)
		unlink(live->ready_file);
	take_down(r);
	free(r);
	return rc;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The loops of `kordon bench throughput` between two net_null ports, which make and take buffers and do
 * nothing else. Every loop takes a whole load through and says how many TSC ticks went by; what the ticks
 * mean is the caller's business. Whoever includes this needs no DPDK.
 */
#ifndef KD_DPDK_BENCH_H
#define KD_DPDK_BENCH_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/engine.h"

struct kd_bench_ports;

#define KD_BENCH_BURST 32

/* Frames in order of arrival: a burst from the inside, a burst from the outside, and so on. */
struct kd_bench_load {
	uint8_t *const *frame;
	uint32_t n; /* a multiple of two bursts */
	uint32_t len;
};

/* Packet time runs only while an engine does, or the pauses for making the next load would count as ageing.
 */
struct kd_bench_clock {
	uint64_t base_ns;
	uint64_t elapsed;     /* ticks so far */
	uint64_t ns_per_tick; /* fixed point, 32 bits of fraction */
};

/* Moves packet time on to when something that is held leaves; false: nothing is held. */
static inline bool kd_bench_due(const struct kd_engine *engine, struct kd_bench_clock *clock)
{
	uint64_t now =
		clock->base_ns + (uint64_t)((unsigned __int128)clock->elapsed * clock->ns_per_tick >> 32);
	uint64_t due = kd_engine_due(engine);

	if (due != UINT64_MAX && due > now)
		clock->base_ns += due - now;
	return due != UINT64_MAX;
}

enum kd_bench_loop {
	KD_BENCH_IO,	 /* rx, tx: what dpdk-testpmd --forward-mode=io does */
	KD_BENCH_WRITE,	 /* rx, copy the frame into the buffer, tx */
	KD_BENCH_ENGINE, /* rx, copy, kd_engine_burst, tx */
	KD_BENCH_LIVE,	 /* the same through the code of `kordon run` */
	KD_BENCH_LOOPS
};

/* 0, or an exit code after a line on stderr. One at a time, once a process. */
int kd_bench_ports_open(struct kd_bench_ports **ret, unsigned int verbose);
void kd_bench_ports_close(struct kd_bench_ports *p);
/* Ticks; 0 when a port gave fewer buffers than asked for, which net_null does only when they are lost, or
 * when not all of them are back. What an engine holds back leaves behind the ticks. */
uint64_t kd_bench_ports_run(struct kd_bench_ports *p, enum kd_bench_loop loop,
	const struct kd_bench_load *load, struct kd_engine *engine, struct kd_bench_clock *clock);
/* Of the library in use; NULL in a build without it. */
const char *kd_bench_dpdk_version(void);

#endif

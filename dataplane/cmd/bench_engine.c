/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An engine under measurement: its flows, the time of its packets, and a load taken through it where the
 * frames lie. It decides nothing about what is measured, and knows no port (drivers/dpdk/bench.c).
 */
#include "cmd/bench.h"

#include <x86intrin.h>

#define EVENTS 64

void kd_bench_start(struct kd_bench_run *r, struct kd_bench_source *source, uint64_t tsc_hz)
{
	r->source = source;
	r->clock.base_ns = KD_BENCH_START_NS;
	r->clock.ns_per_tick = (uint64_t)(((unsigned __int128)1000000000u << 32) / tsc_hz);
}

static uint64_t now_ns(const struct kd_bench_run *r, uint64_t ticks)
{
	unsigned __int128 all = r->clock.elapsed + ticks;

	return r->clock.base_ns + (uint64_t)(all * r->clock.ns_per_tick >> 32);
}

void kd_bench_drain(struct kd_bench_run *r)
{
	struct kd_event events[EVENTS];

	while (kd_engine_events(r->engine, events, EVENTS) == EVENTS)
		;
}

/* The engine finds each header where a NIC would have left it: in a buffer no cache near the core holds. */
uint64_t kd_bench_from_memory(struct kd_bench_run *r)
{
	struct kd_out out = {.actions = r->actions, .room = KD_OUT_ROOM(KD_BENCH_BURST)};
	const struct kd_bench_load *load = &r->source->load;
	struct kd_pkt pkts[KD_BENCH_BURST];
	uint64_t start = __rdtsc(), ticks;

	for (uint32_t at = 0; at < load->n; at += KD_BENCH_BURST) {
		uint64_t ns = now_ns(r, __rdtsc() - start);

		for (unsigned int i = 0; i < KD_BENCH_BURST; i++) {
			__builtin_prefetch(load->frame[at + i]);
			pkts[i] = (struct kd_pkt){.data = load->frame[at + i],
				.len = load->len,
				.wire_len = load->len,
				.tailroom = (uint16_t)(KD_BENCH_STRIDE - load->len),
				.side = at / KD_BENCH_BURST & 1,
				.link = KD_LINK_ETHERNET,
				.time_ns = ns,
				.number = ++r->number};
		}
		kd_engine_burst(r->engine, pkts, KD_BENCH_BURST, &out);
	}
	ticks = __rdtsc() - start;
	r->clock.elapsed += ticks;
	while (kd_bench_due(r->engine, &r->clock))
		kd_engine_advance(r->engine, now_ns(r, 0), &out);
	return ticks;
}

static void send(struct kd_bench_run *r, uint8_t (*buf)[KD_BENCH_HELLO_MAX], const uint32_t *len,
	unsigned int n, unsigned int side)
{
	struct kd_out out = {.actions = r->actions, .room = KD_OUT_ROOM(KD_BENCH_BURST)};
	struct kd_pkt pkts[KD_BENCH_BURST];

	for (unsigned int i = 0; i < n; i++)
		pkts[i] = (struct kd_pkt){.data = buf[i],
			.len = len[i],
			.wire_len = len[i],
			.side = (uint8_t)side,
			.link = KD_LINK_ETHERNET,
			.time_ns = now_ns(r, 0),
			.number = ++r->number};
	kd_engine_burst(r->engine, pkts, n, &out);
	while (kd_bench_due(r->engine, &r->clock))
		kd_engine_advance(r->engine, now_ns(r, 0), &out);
	kd_bench_drain(r);
}

void kd_bench_open_flows(struct kd_bench_run *r, unsigned int answers)
{
	static uint8_t buf[KD_BENCH_BURST][KD_BENCH_HELLO_MAX];
	uint32_t len[KD_BENCH_BURST];

	for (uint32_t at = 0; at < r->source->flows; at += KD_BENCH_BURST) {
		unsigned int n =
			r->source->flows - at < KD_BENCH_BURST ? r->source->flows - at : KD_BENCH_BURST;

		for (unsigned int i = 0; i < n; i++)
			len[i] = kd_bench_hello(r->source, at + i, buf[i]);
		send(r, buf, len, n, KD_INSIDE);
		for (unsigned int more = 0; more < 2 * answers; more++) {
			unsigned int side = more % 2 == 0 ? KD_OUTSIDE : KD_INSIDE;

			for (unsigned int i = 0; i < n; i++)
				len[i] = kd_bench_plain(r->source, at + i, side, buf[i]);
			send(r, buf, len, n, side);
		}
	}
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kordon bench throughput: what a packet of a decided flow costs the engine, against io forwarding over the
 * same ports in the same run. It decides what is measured and how it is told; docs/performance.md says why
 * so. It makes no packets (bench_load.c) and knows no port (drivers/dpdk/bench.c).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/bench.h"
#include "cmd/cmd.h"
#include "engine/engine.h"
#include "engine/guard.h"

#define FLOWS_FEW 10000

/* After enum kd_bench_loop: no ports, frames in memory. */
enum { MEMORY = KD_BENCH_LOOPS, LOOPS };

static const char *const loop_name[LOOPS] = {"io", "write", "engine", "live", "memory"};

/* A row of the table: one kind of packet over one number of flows. */
struct figures {
	uint32_t flows, distinct, frame_len;
	bool v6;
	uint64_t packets; /* through the engine */
	uint64_t fates[KD_FATE_COUNT];
	struct kd_bench_spread ns[LOOPS];  /* a packet */
	struct kd_bench_spread ratio, net; /* engine / io; the same less what writing cost */
};

struct bench {
	const struct kd_bench_packets *what;
	struct kd_bench_machine machine;
	struct kd_bench_ports *ports; /* NULL: not in this build */
	struct kd_policy *policy;
	struct kd_guard *guard;
	uint64_t testpmd_ps;
	struct figures row[3];
	unsigned int nrows;
};

struct run {
	const struct bench *b;
	struct kd_bench_source source;
	struct kd_bench_run engine;
	uint64_t ticks[LOOPS], packets; /* of one pair */
	double ns[LOOPS][KD_BENCH_PAIRS_MAX];
};

/* Every flow has its place, and none is still open to inspection. */
static int check_open(const struct run *r, const struct figures *f)
{
	static const uint16_t open[] = {KD_REASON_FLOW_NO_PAYLOAD, KD_REASON_CLASSIFY_UNKNOWN,
		KD_REASON_GUARD_OUTSIDE_LAB, KD_REASON_GUARD_LAB_SIZE, KD_REASON_FLOW_TABLE_FULL};
	const struct kd_counters *c = kd_engine_counters(r->engine.engine);

	if (c->flows_live != f->flows || c->untracked != 0)
		return kd_bench_internal("not every flow found a place");
	for (unsigned int i = 0; i < sizeof(open) / sizeof(*open); i++)
		if (c->reasons[open[i]] != 0)
			return kd_bench_internal("not every flow was decided by its hello");
	return 0;
}

static int round_of(struct run *r)
{
	struct kd_bench_ports *ports = r->b->ports;

	r->packets += r->source.load.n;
	for (unsigned int loop = 0; loop < LOOPS; loop++) {
		uint64_t ticks;

		if (loop < MEMORY && ports == NULL)
			continue;
		if (loop != KD_BENCH_IO)
			kd_bench_draw(&r->source, loop >= KD_BENCH_ENGINE);
		if (loop == MEMORY)
			ticks = kd_bench_from_memory(&r->engine);
		else
			ticks = kd_bench_ports_run(
				ports, loop, &r->source.load, r->engine.engine, &r->engine.clock);
		if (ticks == 0)
			return kd_bench_internal("buffers were lost");
		r->ticks[loop] += ticks;
		kd_bench_drain(&r->engine);
	}
	return 0;
}

static int pair(struct run *r, unsigned int index)
{
	uint64_t until = kd_bench_monotonic_ns() + r->b->what->seconds * 1000000000u / r->b->what->pairs;

	memset(r->ticks, 0, sizeof(r->ticks));
	r->packets = 0;
	do {
		int rc = round_of(r);

		if (rc != 0)
			return rc;
	} while (kd_bench_monotonic_ns() < until);
	for (unsigned int loop = 0; loop < LOOPS; loop++)
		r->ns[loop][index] =
			(double)r->ticks[loop] * 1e9 / ((double)r->b->machine.tsc_hz * (double)r->packets);
	return 0;
}

static void sum_up(const struct run *r, struct figures *f)
{
	double ratio[KD_BENCH_PAIRS_MAX], net[KD_BENCH_PAIRS_MAX];
	unsigned int n = r->b->what->pairs;

	for (unsigned int loop = 0; loop < LOOPS; loop++)
		f->ns[loop] = kd_bench_spread(r->ns[loop], n);
	if (r->b->ports == NULL)
		return;
	for (unsigned int i = 0; i < n; i++) {
		double io = r->ns[KD_BENCH_IO][i];

		ratio[i] = r->ns[KD_BENCH_ENGINE][i] / io;
		net[i] = (r->ns[KD_BENCH_ENGINE][i] - r->ns[KD_BENCH_WRITE][i] + io) / io;
	}
	f->ratio = kd_bench_spread(ratio, n);
	f->net = kd_bench_spread(net, n);
}

/* The run must have measured what it says: decided flows, nearly all of them, and no packet astray. */
static int check_end(const struct run *r, struct figures *f)
{
	const struct kd_counters *c = kd_engine_counters(r->engine.engine);
	const char *wrong = kd_counters_unbalanced(c);

	f->distinct = kd_bench_distinct(&r->source);
	f->packets = c->in[0] + c->in[1] - f->flows;
	for (unsigned int i = 0; i < KD_FATE_COUNT; i++)
		f->fates[i] = c->fates[i];
	if (wrong != NULL)
		return kd_bench_internal(wrong);
	if (c->flows_new != f->flows || c->untracked != 0)
		return kd_bench_internal("flows began or ended while it was measured");
	if ((uint64_t)f->distinct * 1000 >= (uint64_t)f->flows * KD_BENCH_TOUCHED_MIN_PERMILLE)
		return 0;
	kd_complain("bench: only %u of %u flows were touched, 95 %% are needed; give it more --seconds",
		f->distinct, f->flows);
	return KD_EXIT_EXPECTATION;
}

static int measure(struct run *r, struct figures *f)
{
	struct kd_engine_config config = KD_ENGINE_CONFIG_DEFAULT;
	int rc;

	config.policy = r->b->policy;
	config.guard = r->b->guard;
	config.seed = r->b->what->args->seed;
	config.flows4_max = f->v6 ? 1 : f->flows;
	config.flows6_max = f->v6 ? f->flows : 1;
	if (kd_engine_new(&r->engine.engine, &config) != 0)
		return -ENOMEM;
	kd_bench_open_flows(&r->engine, 0);
	rc = check_open(r, f);
	for (unsigned int i = 0; rc == 0 && i < r->b->what->pairs; i++)
		rc = pair(r, i);
	if (rc == 0)
		rc = check_end(r, f);
	if (rc == 0)
		sum_up(r, f);
	return rc;
}

static int fill_row(const struct bench *b, struct figures *f)
{
	struct run *r = calloc(1, sizeof(*r));
	int rc = r != NULL ? 0 : -ENOMEM;

	if (rc == 0) {
		r->b = b;
		kd_bench_start(&r->engine, &r->source, b->machine.tsc_hz);
		rc = kd_bench_source_init(
			&r->source, f->flows, f->v6, b->what->size, b->what->name, b->what->args->seed);
		f->frame_len = r->source.load.len;
	}
	if (rc == 0)
		rc = measure(r, f);
	if (r != NULL) {
		kd_engine_free(r->engine.engine);
		kd_bench_source_free(&r->source);
	}
	free(r);
	if (rc < 0) {
		kd_complain("bench: out of memory for %u flows", f->flows);
		return KD_EXIT_ENVIRONMENT;
	}
	return rc;
}

/* --- telling
 * ------------------------------------------------------------------------------------------------------ */

static void print_row(const struct bench *b, const struct figures *f)
{
	static const char *const what[LOOPS] = {"rx, tx: as testpmd --forward-mode=io",
		"rx, copy the frame in, tx", "rx, copy, engine, tx", "the same by the code of kordon run",
		"engine alone, frames in cold buffers, no ports"};

	printf("\nIPv%c, %u flows, %u-byte frames; %u flows touched (%.1f %%) by %llu packets\n",
		f->v6 ? '6' : '4', f->flows, f->frame_len, f->distinct, 100.0 * f->distinct / f->flows,
		(unsigned long long)f->packets);
	for (unsigned int loop = 0; loop < LOOPS; loop++)
		if (loop == MEMORY || b->ports != NULL)
			printf("  %-7s%7.1f ns/packet (%.1f..%.1f)  %s\n", loop_name[loop],
				f->ns[loop].median, f->ns[loop].min, f->ns[loop].max, what[loop]);
	if (b->ports != NULL)
		printf("  engine : io  %.2f (%.2f..%.2f); less what writing the frames costs %.2f "
		       "(%.2f..%.2f)\n",
			f->ratio.median, f->ratio.min, f->ratio.max, f->net.median, f->net.min, f->net.max);
}

static void print_all(const struct bench *b)
{
	printf("decided flows, one core, policy %s; %u alternating measurements of each kind, TSC over wall "
	       "time;\n"
	       "median (least..most). Every packet's flow is drawn at random from all, both directions "
	       "alternate\n"
	       "by bursts of %u, frames come from %u buffers; guard, ageing, counters and event ring are "
	       "on.\n\n",
		b->what->profile, b->what->pairs, KD_BENCH_BURST, KD_BENCH_FRAMES);
	kd_bench_machine_print(&b->machine);
	for (unsigned int i = 0; i < b->nrows; i++)
		print_row(b, &b->row[i]);
	if (b->ports == NULL)
		printf("\nThe ratio to io forwarding needs libdpdk, which this build does not have.\n");
	else if (b->what->pairs < KD_BENCH_PAIRS_WORTH)
		printf("\nFewer than %u pairs: a ratio to look at, not to quote.\n", KD_BENCH_PAIRS_WORTH);
}

static void json_row(struct kd_json *j, const struct bench *b, const struct figures *f)
{
	kd_json_open(j, NULL, '{');
	kd_json_u64(j, "ip", f->v6 ? 6 : 4);
	kd_json_u64(j, "flows", f->flows);
	kd_json_u64(j, "distinct", f->distinct);
	kd_json_u64(j, "frame_bytes", f->frame_len);
	kd_json_u64(j, "packets", f->packets);
	kd_json_u64(j, "dropped", f->fates[KD_DROP]);
	kd_json_u64(j, "rewritten", f->fates[KD_REWRITE]);
	kd_json_open(j, "ps_per_packet", '{');
	for (unsigned int loop = 0; loop < LOOPS; loop++)
		if (loop == MEMORY || b->ports != NULL)
			kd_bench_json_spread(j, loop_name[loop], &f->ns[loop]);
	kd_json_close(j, '}');
	if (b->ports != NULL) {
		kd_json_open(j, "permille_of_io", '{');
		kd_bench_json_spread(j, "engine", &f->ratio);
		kd_bench_json_spread(j, "engine_less_write", &f->net);
		kd_json_close(j, '}');
	}
	kd_json_close(j, '}');
}

static int write_json(const struct bench *b)
{
	static char text[16384];
	struct kd_json j;

	kd_json_start(&j, text, sizeof(text));
	kd_json_open(&j, NULL, '{');
	kd_json_str(&j, "bench", "throughput");
	kd_json_str(&j, "profile", b->what->profile);
	kd_json_u64(&j, "pairs", b->what->pairs);
	kd_bench_machine_json(&b->machine, &j);
	kd_json_u64(&j, "testpmd_ps_per_packet", b->testpmd_ps);
	kd_json_open(&j, "rows", '[');
	for (unsigned int i = 0; i < b->nrows; i++)
		json_row(&j, b, &b->row[i]);
	kd_json_close(&j, ']');
	kd_json_close(&j, '}');
	return kd_bench_json(&j, b->what->json);
}

static int prepare(struct bench *b)
{
	static const uint8_t net4[4] = {198, 18}, net6[16] = {0x20, 0x01, 0, 2};
	struct kd_args with = *b->what->args;
	int rc;

	with.profile = b->what->profile;
	rc = kd_cmd_policy(&b->policy, &with);
	if (rc != 0)
		return rc;
	if (kd_guard_new(&b->guard) != 0 || kd_guard_add(b->guard, false, net4, 15) != 0 ||
		kd_guard_add(b->guard, true, net6, 48) != 0)
		return kd_bench_internal("no guard for benchmarking space");
	kd_bench_machine(&b->machine);
	if (b->what->testpmd && kd_bench_dpdk_version() != NULL)
		b->testpmd_ps = kd_bench_testpmd(&b->machine);
	return kd_bench_ports_open(&b->ports, b->what->args->verbose);
}

/* The flows asked for, a table that fits a cache beside them, and the larger addresses. */
static int measure_rows(struct bench *b)
{
	const struct figures plan[] = {
		{.flows = b->what->flows}, {.flows = FLOWS_FEW}, {.flows = b->what->flows, .v6 = true}};
	int rc = 0;

	for (unsigned int i = 0; rc == 0 && i < sizeof(plan) / sizeof(*plan); i++) {
		if (i == 1 && b->what->flows <= FLOWS_FEW)
			continue;
		b->row[b->nrows] = plan[i];
		rc = fill_row(b, &b->row[b->nrows++]);
	}
	return rc;
}

int kd_bench_throughput(const struct kd_bench_packets *what)
{
	struct bench b = {.what = what};
	int rc = prepare(&b);

	if (rc == 0)
		rc = measure_rows(&b);
	if (rc == 0 && (what->json == NULL || strcmp(what->json, "-") != 0))
		print_all(&b);
	if (rc == 0 && what->json != NULL)
		rc = write_json(&b);
	kd_bench_ports_close(b.ports);
	kd_guard_free(b.guard);
	kd_policy_free(b.policy);
	return rc;
}

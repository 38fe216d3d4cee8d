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
#include <time.h>
#include <x86intrin.h>

#include "cmd/bench.h"
#include "cmd/cmd.h"
#include "engine/engine.h"
#include "engine/guard.h"

enum row {
	FLOWS,
	SECONDS,
	PAIRS,
	SIZE,
	NAME,
	NO_TESTPMD,
	JSON,
	NAMES,
	PREFIXES,
	LITERALS,
	FRAGMENTS,
	HELLOS
};

static const struct kd_cmd_option options[] = {
	[FLOWS] = {"flows", 'n', "N",
		"flows in the table, each decided beforehand (default: 1000000); memory: half-open "
		"ones, twice what the table holds (default: 2000000)"},
	[SECONDS] = {"seconds", 't', "S", "for each row, its packets' making included (default: 10)"},
	[PAIRS] = {"pairs", 0, "N", "measurements of each kind, alternating (default: 7)"},
	[SIZE] = {"size", 0, "BYTES", "of a frame (default: 64); IPv6 takes at least 78"},
	[NAME] = {"name", 0, "NAME",
		"server name in the hello that decides a flow (default: unlisted.example); memory: of one "
		"that "
		"a rule drops (default: sni-iv.example)"},
	[NO_TESTPMD] = {"no-testpmd", 0, NULL, "do not run dpdk-testpmd for reference"},
	[JSON] = {"json", 0, "FILE",
		"the same figures for programs; \"-\" is standard output, without the text"},
	[NAMES] = {"names", 0, "N", "micro: names of the list (default: 1000000)"},
	[PREFIXES] = {"prefixes", 0, "N", "micro: prefixes of the list (default: 150000)"},
	[LITERALS] = {"literals", 0, "N",
		"micro: of the names, how many for Hyperscan (default: 100000; 0: none)"},
	[FRAGMENTS] = {"fragments", 0, "N", "memory: first fragments (default: 1000000)"},
	[HELLOS] = {"hellos", 0, "N", "memory: half ClientHellos (default: 200000)"},
	{NULL, 0, NULL, NULL},
};

#define FLOWS_FEW 10000
#define FLOWS_MOST (1u << 24)
#define PAIRS_MAX 99
#define PAIRS_WORTH 7 /* from here on a median says something */
#define PROFILE "tspu@2022-03-20"
#define PROFILE_MEMORY "tspu@2025-03-15" /* puts segments together */
#define TOUCHED_MIN_PERMILLE 950
#define START_NS 1647766800000000000ull /* 2022-03-20: the day does not matter, the flows' idle time does */
#define EVENTS 64

/* After enum kd_bench_loop: no ports, frames in memory. */
enum { MEMORY = KD_BENCH_LOOPS, LOOPS };

static const char *const loop_name[LOOPS] = {"io", "write", "engine", "live", "memory"};

struct spread {
	double median, min, max;
};

/* A row of the table: one kind of packet over one number of flows. */
struct figures {
	uint32_t flows, distinct, frame_len;
	bool v6;
	uint64_t packets; /* through the engine */
	uint64_t fates[KD_FATE_COUNT];
	struct spread ns[LOOPS];  /* a packet */
	struct spread ratio, net; /* engine / io; the same less what writing cost */
};

struct bench {
	const struct kd_args *args;
	struct kd_bench_machine machine;
	struct kd_bench_ports *ports; /* NULL: not in this build */
	struct kd_policy *policy;
	struct kd_guard *guard;
	const char *name;
	uint64_t testpmd_ps;
	uint32_t flows, size, pairs;
	uint64_t seconds;
	struct figures row[3];
	unsigned int nrows;
};

struct run {
	const struct bench *b;
	struct kd_bench_source source;
	struct kd_engine *engine;
	struct kd_bench_clock clock;
	uint64_t number;
	uint64_t ticks[LOOPS], packets; /* of one pair */
	double ns[LOOPS][PAIRS_MAX];
	struct kd_action actions[KD_OUT_ROOM(KD_BENCH_BURST)];
	struct kd_event events[EVENTS];
};

static uint64_t now_ns(const struct run *r, uint64_t start)
{
	unsigned __int128 ticks = r->clock.elapsed + (__rdtsc() - start);

	return r->clock.base_ns + (uint64_t)(ticks * r->clock.ns_per_tick >> 32);
}

static void drain(struct run *r)
{
	while (kd_engine_events(r->engine, r->events, EVENTS) == EVENTS)
		;
}

/* --- the engine without ports
 * ------------------------------------------------------------------------------------- */

/* The engine finds each header where a NIC would have left it: in a buffer no cache near the core holds. */
static uint64_t from_memory(struct run *r)
{
	struct kd_out out = {.actions = r->actions, .room = KD_OUT_ROOM(KD_BENCH_BURST)};
	const struct kd_bench_load *load = &r->source.load;
	struct kd_pkt pkts[KD_BENCH_BURST];
	uint64_t start = __rdtsc(), ticks;

	for (uint32_t at = 0; at < load->n; at += KD_BENCH_BURST) {
		uint64_t ns = now_ns(r, start);

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
	return ticks;
}

/* Every flow begins with a hello, which decides it. */
static void open_flows(struct run *r)
{
	static uint8_t buf[KD_BENCH_BURST][KD_BENCH_HELLO_MAX];
	struct kd_out out = {.actions = r->actions, .room = KD_OUT_ROOM(KD_BENCH_BURST)};
	struct kd_pkt pkts[KD_BENCH_BURST];

	for (uint32_t at = 0; at < r->source.flows; at += KD_BENCH_BURST) {
		unsigned int n =
			r->source.flows - at < KD_BENCH_BURST ? r->source.flows - at : KD_BENCH_BURST;

		for (unsigned int i = 0; i < n; i++) {
			uint32_t len = kd_bench_hello(&r->source, at + i, buf[i]);

			pkts[i] = (struct kd_pkt){.data = buf[i],
				.len = len,
				.wire_len = len,
				.side = KD_INSIDE,
				.link = KD_LINK_ETHERNET,
				.time_ns = r->clock.base_ns,
				.number = ++r->number};
		}
		kd_engine_burst(r->engine, pkts, n, &out);
		drain(r);
	}
}

/* --- a row
 * -------------------------------------------------------------------------------------------------------- */

static int internal(const char *what)
{
	kd_complain("bench: %s; the figures would be worth nothing", what);
	return KD_EXIT_INTERNAL;
}

/* Every flow has its place, and none is still open to inspection. */
static int check_open(const struct run *r, const struct figures *f)
{
	static const uint16_t open[] = {KD_REASON_FLOW_NO_PAYLOAD, KD_REASON_CLASSIFY_UNKNOWN,
		KD_REASON_GUARD_OUTSIDE_LAB, KD_REASON_GUARD_LAB_SIZE, KD_REASON_FLOW_TABLE_FULL};
	const struct kd_counters *c = kd_engine_counters(r->engine);

	if (c->flows_live != f->flows || c->untracked != 0)
		return internal("not every flow found a place");
	for (unsigned int i = 0; i < sizeof(open) / sizeof(*open); i++)
		if (c->reasons[open[i]] != 0)
			return internal("not every flow was decided by its hello");
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
			ticks = from_memory(r);
		else
			ticks = kd_bench_ports_run(ports, loop, &r->source.load, r->engine, &r->clock);
		if (ticks == 0)
			return internal("buffers were lost");
		r->ticks[loop] += ticks;
		drain(r);
	}
	return 0;
}

static uint64_t monotonic_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int pair(struct run *r, unsigned int index)
{
	uint64_t until = monotonic_ns() + r->b->seconds * 1000000000u / r->b->pairs;

	memset(r->ticks, 0, sizeof(r->ticks));
	r->packets = 0;
	do {
		int rc = round_of(r);

		if (rc != 0)
			return rc;
	} while (monotonic_ns() < until);
	for (unsigned int loop = 0; loop < LOOPS; loop++)
		r->ns[loop][index] =
			(double)r->ticks[loop] * 1e9 / ((double)r->b->machine.tsc_hz * (double)r->packets);
	return 0;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static struct spread spread_of(const double *v, unsigned int n)
{
	double sorted[PAIRS_MAX];

	memcpy(sorted, v, n * sizeof(*v));
	qsort(sorted, n, sizeof(*sorted), by_size);
	return (struct spread){(sorted[(n - 1) / 2] + sorted[n / 2]) / 2, sorted[0], sorted[n - 1]};
}

static void sum_up(const struct run *r, struct figures *f)
{
	double ratio[PAIRS_MAX], net[PAIRS_MAX];
	unsigned int n = r->b->pairs;

	for (unsigned int loop = 0; loop < LOOPS; loop++)
		f->ns[loop] = spread_of(r->ns[loop], n);
	if (r->b->ports == NULL)
		return;
	for (unsigned int i = 0; i < n; i++) {
		double io = r->ns[KD_BENCH_IO][i];

		ratio[i] = r->ns[KD_BENCH_ENGINE][i] / io;
		net[i] = (r->ns[KD_BENCH_ENGINE][i] - r->ns[KD_BENCH_WRITE][i] + io) / io;
	}
	f->ratio = spread_of(ratio, n);
	f->net = spread_of(net, n);
}

/* The run must have measured what it says: decided flows, nearly all of them, and no packet astray. */
static int check_end(const struct run *r, struct figures *f)
{
	const struct kd_counters *c = kd_engine_counters(r->engine);
	const char *wrong = kd_counters_unbalanced(c);

	f->distinct = kd_bench_distinct(&r->source);
	f->packets = c->in[0] + c->in[1] - f->flows;
	for (unsigned int i = 0; i < KD_FATE_COUNT; i++)
		f->fates[i] = c->fates[i];
	if (wrong != NULL)
		return internal(wrong);
	if (c->flows_new != f->flows || c->untracked != 0)
		return internal("flows began or ended while it was measured");
	if ((uint64_t)f->distinct * 1000 >= (uint64_t)f->flows * TOUCHED_MIN_PERMILLE)
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
	config.seed = r->b->args->seed;
	config.flows4_max = f->v6 ? 1 : f->flows;
	config.flows6_max = f->v6 ? f->flows : 1;
	if (kd_engine_new(&r->engine, &config) != 0)
		return -ENOMEM;
	open_flows(r);
	rc = check_open(r, f);
	for (unsigned int i = 0; rc == 0 && i < r->b->pairs; i++)
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
		r->clock.base_ns = START_NS;
		r->clock.ns_per_tick = (uint64_t)(((unsigned __int128)1000000000u << 32) / b->machine.tsc_hz);
		rc = kd_bench_source_init(&r->source, f->flows, f->v6, b->size, b->name, b->args->seed);
		f->frame_len = r->source.load.len;
	}
	if (rc == 0)
		rc = measure(r, f);
	if (r != NULL) {
		kd_engine_free(r->engine);
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
		b->args->profile != NULL ? b->args->profile : PROFILE, b->pairs, KD_BENCH_BURST,
		KD_BENCH_FRAMES);
	kd_bench_machine_print(&b->machine);
	for (unsigned int i = 0; i < b->nrows; i++)
		print_row(b, &b->row[i]);
	if (b->ports == NULL)
		printf("\nThe ratio to io forwarding needs libdpdk, which this build does not have.\n");
	else if (b->pairs < PAIRS_WORTH)
		printf("\nFewer than %u pairs: a ratio to look at, not to quote.\n", PAIRS_WORTH);
}

/* Thousandths: of a nanosecond, or of one. */
static void json_spread(struct kd_json *j, const char *key, const struct spread *s)
{
	kd_json_open(j, key, '{');
	kd_json_u64(j, "median", (uint64_t)(s->median * 1000 + 0.5));
	kd_json_u64(j, "min", (uint64_t)(s->min * 1000 + 0.5));
	kd_json_u64(j, "max", (uint64_t)(s->max * 1000 + 0.5));
	kd_json_close(j, '}');
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
			json_spread(j, loop_name[loop], &f->ns[loop]);
	kd_json_close(j, '}');
	if (b->ports != NULL) {
		kd_json_open(j, "permille_of_io", '{');
		json_spread(j, "engine", &f->ratio);
		json_spread(j, "engine_less_write", &f->net);
		kd_json_close(j, '}');
	}
	kd_json_close(j, '}');
}

int kd_bench_json(const struct kd_json *j, const char *path)
{
	bool out = strcmp(path, "-") == 0;
	FILE *f = out ? stdout : fopen(path, "w");

	if (f == NULL || j->full || fprintf(f, "%.*s\n", (int)j->len, j->buf) < 0 || fflush(f) != 0 ||
		(!out && fclose(f) != 0)) {
		kd_complain("%s: %s", path, strerror(errno));
		return KD_EXIT_ENVIRONMENT;
	}
	return KD_EXIT_OK;
}

static int write_json(const struct bench *b, const char *path)
{
	static char text[16384];
	struct kd_json j;

	kd_json_start(&j, text, sizeof(text));
	kd_json_open(&j, NULL, '{');
	kd_json_str(&j, "bench", "throughput");
	kd_json_str(&j, "profile", b->args->profile != NULL ? b->args->profile : PROFILE);
	kd_json_u64(&j, "pairs", b->pairs);
	kd_bench_machine_json(&b->machine, &j);
	kd_json_u64(&j, "testpmd_ps_per_packet", b->testpmd_ps);
	kd_json_open(&j, "rows", '[');
	for (unsigned int i = 0; i < b->nrows; i++)
		json_row(&j, b, &b->row[i]);
	kd_json_close(&j, ']');
	kd_json_close(&j, '}');
	return kd_bench_json(&j, path);
}

/* --- the verb
 * ----------------------------------------------------------------------------------------------------- */

static int number(const struct kd_args *args, enum row which, uint64_t least, uint64_t most, uint64_t *ret)
{
	const char *text = args->value[which];
	char *end;

	if (text == NULL)
		return 0;
	errno = 0;
	*ret = strtoull(text, &end, 10);
	if (errno == 0 && *end == '\0' && *text >= '0' && *text <= '9' && *ret >= least && *ret <= most)
		return 0;
	return kd_usage_error(args, "--%s \"%s\": expected a number from %llu to %llu", options[which].name,
		text, (unsigned long long)least, (unsigned long long)most);
}

static int read_args(struct bench *b)
{
	const struct kd_args *args = b->args;
	uint64_t flows = 1000000, pairs = PAIRS_WORTH, size = 64;
	int rc;

	b->seconds = 10;
	rc = number(args, FLOWS, 1, FLOWS_MOST, &flows);
	rc = rc != 0 ? rc : number(args, SECONDS, 0, 3600, &b->seconds);
	rc = rc != 0 ? rc : number(args, PAIRS, 1, PAIRS_MAX, &pairs);
	rc = rc != 0 ? rc : number(args, SIZE, 60, 128, &size);
	b->flows = (uint32_t)flows;
	b->pairs = (uint32_t)pairs;
	b->size = (uint32_t)size;
	b->name = args->value[NAME] != NULL ? args->value[NAME] : "unlisted.example";
	if (rc == 0 && (b->name[0] == '\0' || strlen(b->name) > 253))
		return kd_usage_error(args, "--name \"%s\": expected a host name", b->name);
	return rc;
}

static int prepare(struct bench *b)
{
	static const uint8_t net4[4] = {198, 18}, net6[16] = {0x20, 0x01, 0, 2};
	struct kd_args with = *b->args;
	int rc;

	if (with.profile == NULL)
		with.profile = PROFILE;
	rc = kd_cmd_policy(&b->policy, &with);
	if (rc != 0)
		return rc;
	if (kd_guard_new(&b->guard) != 0 || kd_guard_add(b->guard, false, net4, 15) != 0 ||
		kd_guard_add(b->guard, true, net6, 48) != 0)
		return internal("no guard for benchmarking space");
	kd_bench_machine(&b->machine);
	if (b->args->value[NO_TESTPMD] == NULL && kd_bench_dpdk_version() != NULL)
		b->testpmd_ps = kd_bench_testpmd(&b->machine);
	return kd_bench_ports_open(&b->ports, b->args->verbose);
}

/* The flows asked for, a table that fits a cache beside them, and the larger addresses. */
static int measure_rows(struct bench *b)
{
	const struct figures plan[] = {
		{.flows = b->flows}, {.flows = FLOWS_FEW}, {.flows = b->flows, .v6 = true}};
	int rc = 0;

	for (unsigned int i = 0; rc == 0 && i < sizeof(plan) / sizeof(*plan); i++) {
		if (i == 1 && b->flows <= FLOWS_FEW)
			continue;
		b->row[b->nrows] = plan[i];
		rc = fill_row(b, &b->row[b->nrows++]);
	}
	return rc;
}

static int run_micro(const struct kd_args *args)
{
	uint64_t names = 1000000, prefixes = 150000, literals = 100000;
	struct kd_bench_micro what = {.json = args->value[JSON]};
	int rc = number(args, NAMES, 1, 4000000, &names);

	rc = rc != 0 ? rc : number(args, PREFIXES, 1, 4000000, &prefixes);
	rc = rc != 0 ? rc : number(args, LITERALS, 0, 1000000, &literals);
	if (rc != 0)
		return rc;
	what.names = (uint32_t)names;
	what.prefixes = (uint32_t)prefixes;
	what.literals = (uint32_t)literals;
	kd_bench_machine(&what.machine);
	return kd_bench_micro(&what);
}

static int run_memory(const struct kd_args *args)
{
	uint64_t flows = 2000000, fragments = 1000000, hellos = 200000;
	struct kd_bench_memory what = {.json = args->value[JSON], .seed = args->seed};
	struct kd_policy *policy;
	struct kd_args with = *args;
	int rc = number(args, FLOWS, 1000, FLOWS_MOST, &flows);

	rc = rc != 0 ? rc : number(args, FRAGMENTS, 10000, 100000000, &fragments);
	rc = rc != 0 ? rc : number(args, HELLOS, 1000, flows / 4, &hellos);
	if (rc != 0)
		return rc;
	if (with.profile == NULL)
		with.profile = PROFILE_MEMORY;
	with.quiet = with.verbose == 0;
	rc = kd_cmd_policy(&policy, &with);
	if (rc != 0)
		return rc;
	what.policy = policy;
	what.name = args->value[NAME] != NULL ? args->value[NAME] : "sni-iv.example";
	what.flows = (uint32_t)flows;
	what.fragments = (uint32_t)fragments;
	what.hellos = (uint32_t)hellos;
	what.gathers = (uint32_t)hellos / 50;
	rc = kd_bench_memory(&what);
	kd_policy_free(policy);
	return rc;
}

static int run(const struct kd_args *args)
{
	struct bench b = {.args = args};
	int rc;

	if (args->noperands == 1 && strcmp(args->operands[0], "micro") == 0)
		return run_micro(args);
	if (args->noperands == 1 && strcmp(args->operands[0], "memory") == 0)
		return run_memory(args);
	if (args->noperands != 1 || strcmp(args->operands[0], "throughput") != 0)
		return kd_usage_error(args, "expected what to measure: throughput, micro or memory");
	rc = read_args(&b);
	if (rc != 0)
		return rc;
	rc = prepare(&b);
	if (rc == 0)
		rc = measure_rows(&b);
	if (rc == 0 && (args->value[JSON] == NULL || strcmp(args->value[JSON], "-") != 0))
		print_all(&b);
	if (rc == 0 && args->value[JSON] != NULL)
		rc = write_json(&b, args->value[JSON]);
	kd_bench_ports_close(b.ports);
	kd_guard_free(b.guard);
	kd_policy_free(b.policy);
	return rc;
}

const struct kd_command kd_command_bench = {
	.name = "bench",
	.summary = "what a packet costs, beside plain forwarding over the same ports",
	.usage = "bench throughput|micro|memory [-p PROFILE] [OPTION...]",
	.text = "throughput measures on one core, to which it pins itself, between two ports that make and "
		"take packets "
		"(net_null);\n"
		"micro, what long lists of names and prefixes cost: to build, to keep, to look up, to load "
		"again;\n"
		"memory, what a flow takes, and that floods take no more than there is room for.\n"
		"Without -p: " PROFILE ", for memory " PROFILE_MEMORY
		". docs/performance.md says how to read the figures.",
	.options = options,
	.takes_profile = true,
	.run = run,
};

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kordon bench memory: what a flow takes, and that floods take no more than the pools hold. Each kind of flow
 * fills a table of its own engine; then one engine gets first fragments, half ClientHellos and half-open
 * flows, far more than it has room for, twice. The first round touches the pools' pages; the second must find
 * the same room and touch no other. After each flood a listed hello must still be blocked, and every buffer
 * must come back once. What the kernel counts as resident is read from /proc/self/statm.
 */
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/bench.h"
#include "cmd/cmd.h"
#include "engine/engine.h"
#include "engine/flow.h"
#include "engine/gather.h"
#include "rulebook/policy.h"

#define BURST 32
#define BUFFERS (KD_HELD_MAX + 2 * BURST)
#define START_NS 1742022000000000000ull /* 2025-03-15 */
#define STEP_NS 1000			/* between packets: a million a second */
#define LATER_NS 3600000000000ull	/* longer than anything lasts */
/* What resident memory may differ by: the kernel of some versions counts 64 pages at once, of two kinds. */
#define SLACK_KB 512
#define EVENTS 64

enum kind { FRAGMENT, HALF_HELLO, HALF_OPEN, LISTED, CLEAN };

struct stage {
	const char *name;
	enum kind kind;
	uint32_t n;
	uint64_t kb;   /* resident behind it */
	uint64_t room; /* that found it */
	uint64_t full; /* that did not, by its own counter */
};

struct memory {
	const struct kd_bench_memory *what;
	struct kd_bench_source listed, clean;
	struct kd_engine *engine;
	struct kd_action actions[KD_OUT_ROOM(BURST)];
	struct kd_event events[EVENTS];
	uint8_t bytes[BUFFERS][KD_BENCH_HELLO_MAX];
	bool out[BUFFERS];
	uint16_t home[BUFFERS];
	uint32_t nhome;
	uint64_t now_ns, number;
	const char *wrong; /* NULL = nothing yet */
};

/* Of one kind of flow. */
struct cost {
	const char *name;
	enum kind kind;
	bool v6;
	double bytes;
};

static uint64_t resident_kb(void)
{
	unsigned long long pages = 0, all;
	FILE *f = fopen("/proc/self/statm", "r");

	if (f != NULL) {
		if (fscanf(f, "%llu %llu", &all, &pages) != 2)
			pages = 0;
		fclose(f);
	}
	return pages * (uint64_t)sysconf(_SC_PAGESIZE) / 1024;
}

static void wrong(struct memory *m, const char *what)
{
	if (m->wrong == NULL)
		m->wrong = what;
}

/* --- packets --- */

static void put16(uint8_t *p, unsigned int v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/* The first of more fragments of a UDP packet nobody sends the rest of. */
static uint32_t put_fragment(uint8_t *frame, uint32_t index)
{
	uint8_t *ip = frame + 14;

	memset(frame, 0, 60);
	put16(frame + 12, 0x0800);
	ip[0] = 0x45;
	put16(ip + 2, 28);
	put16(ip + 4, index & 0xffff);
	put16(ip + 6, 0x2000);
	ip[8] = 64;
	ip[9] = 17;
	ip[12] = ip[16] = 198;
	ip[13] = 18;
	put16(ip + 14, index >> 16);
	ip[17] = 19;
	ip[19] = 1;
	return 60;
}

/* Flow `index` of one kind; flows of other kinds have other indices. */
static uint32_t put_frame(const struct kd_bench_source *s, enum kind kind, uint32_t index, uint8_t *frame)
{
	uint32_t headers = s->v6 ? 74 : 54, len;

	if (kind == FRAGMENT)
		return put_fragment(frame, index);
	len = kd_bench_hello(s, index, frame);
	if (kind != HALF_HELLO && kind != HALF_OPEN)
		return len;
	if (kind == HALF_OPEN)
		frame[headers - 20 + 13] = 0x02;
	len = kind == HALF_OPEN ? headers : headers + (len - headers) / 2;
	put16(frame + (s->v6 ? 18 : 16), len - (s->v6 ? 54 : 14));
	return len;
}

/* --- buffers --- */

static void all_home(struct memory *m)
{
	memset(m->out, 0, sizeof(m->out));
	for (m->nhome = 0; m->nhome < BUFFERS; m->nhome++)
		m->home[m->nhome] = (uint16_t)m->nhome;
}

static void take_back(struct memory *m, const struct kd_out *out)
{
	for (uint32_t i = 0; i < out->count; i++) {
		const struct kd_action *a = &out->actions[i];
		uint16_t at;

		if (a->fate == KD_HOLD || a->fate == KD_INJECT)
			continue;
		at = (uint16_t)((uintptr_t)a->handle - 1);
		if (at >= BUFFERS || !m->out[at]) {
			wrong(m, "a buffer came back that was not out");
			return;
		}
		m->out[at] = false;
		m->home[m->nhome++] = at;
	}
}

static void drain(struct memory *m)
{
	while (kd_engine_events(m->engine, m->events, EVENTS) == EVENTS)
		;
}

/* Packets [from, from + n) of a kind, a burst at a time. */
static void flood(
	struct memory *m, const struct kd_bench_source *s, enum kind kind, uint32_t from, uint32_t n)
{
	struct kd_out out = {.actions = m->actions, .room = KD_OUT_ROOM(BURST)};
	struct kd_pkt pkts[BURST];

	while (n > 0 && m->wrong == NULL) {
		unsigned int burst = n < BURST ? n : BURST;

		if (m->nhome < burst) {
			wrong(m, "buffers did not come back");
			return;
		}
		for (unsigned int i = 0; i < burst; i++) {
			uint16_t at = m->home[--m->nhome];
			uint32_t len = put_frame(s, kind, from + i, m->bytes[at]);

			m->out[at] = true;
			m->now_ns += STEP_NS;
			pkts[i] = (struct kd_pkt){.data = m->bytes[at],
				.len = len,
				.wire_len = len,
				.side = KD_INSIDE,
				.link = KD_LINK_ETHERNET,
				.time_ns = m->now_ns,
				.number = ++m->number,
				.handle = (void *)(uintptr_t)(at + 1u)};
		}
		kd_engine_burst(m->engine, pkts, burst, &out);
		take_back(m, &out);
		drain(m);
		from += burst;
		n -= burst;
	}
}

/* --- an engine --- */

static int begin(struct memory *m, uint32_t flows, bool v6)
{
	struct kd_engine_config c = KD_ENGINE_CONFIG_DEFAULT;

	c.policy = m->what->policy;
	c.seed = m->what->seed;
	c.flows4_max = v6 ? 1 : flows;
	c.flows6_max = v6 ? flows : 1;
	c.gathers_max = m->what->gathers;
	m->now_ns = START_NS;
	all_home(m);
	return kd_engine_new(&m->engine, &c);
}

/* All that is held and alive is given back; nothing may be left. */
static void end(struct memory *m)
{
	struct kd_out out = {.actions = m->actions, .room = KD_OUT_ROOM(BURST)};
	const struct kd_counters *c = kd_engine_counters(m->engine);

	kd_engine_release(m->engine, &out);
	take_back(m, &out);
	while (kd_engine_finish(m->engine) != 0)
		drain(m);
	drain(m);
	if (m->nhome != BUFFERS)
		wrong(m, "buffers are missing at the end");
	if (c->held != 0 || c->flows_live != 0)
		wrong(m, "something is still held or alive at the end");
	if (kd_counters_unbalanced(c) != NULL)
		wrong(m, kd_counters_unbalanced(c));
}

/* What an engine takes whose table has room for so many, and that has seen n flows. */
static int grown_kb(struct memory *m, const struct cost *cost, uint32_t room, uint32_t n, uint64_t *ret)
{
	uint64_t before = resident_kb(), after;
	int rc = begin(m, room, cost->v6);

	if (rc < 0)
		return rc;
	flood(m, &m->clean, cost->kind, 0, n);
	after = resident_kb();
	if (kd_engine_counters(m->engine)->flows_live != room)
		wrong(m, "not every flow found a place in an empty table");
	end(m);
	kd_engine_free(m->engine);
	m->engine = NULL;
	*ret = after > before ? after - before : 0;
	return 0;
}

/* A full table, over an engine that sees the same packets with a table for one flow. */
static int measure(struct memory *m, struct cost *cost)
{
	uint32_t n = cost->kind == HALF_HELLO ? m->what->gathers : m->what->flows / 2;
	uint64_t full_kb = 0, empty_kb = 0;
	int rc;

	rc = kd_bench_source_init(&m->clean, n, cost->v6, 0, "unlisted.example", 1);
	if (rc == 0)
		rc = grown_kb(m, cost, 1, n, &empty_kb);
	if (rc == 0)
		rc = grown_kb(m, cost, n, n, &full_kb);
	if (rc == 0 && full_kb > empty_kb)
		cost->bytes = (double)(full_kb - empty_kb) * 1024 / n;
	kd_bench_source_free(&m->clean);
	return rc;
}

/* --- the floods --- */

static uint64_t full_of(const struct memory *m, enum kind kind)
{
	const struct kd_counters *c = kd_engine_counters(m->engine);

	switch (kind) {
	case FRAGMENT:
		return c->reasons[KD_REASON_FRAG_NO_ROOM];
	case HALF_HELLO:
		return c->gathers_full;
	default:
		return c->untracked;
	}
}

static bool is_blocked(struct memory *m, uint32_t index)
{
	const struct kd_counters *c = kd_engine_counters(m->engine);
	uint64_t before = c->fates[KD_DROP];

	flood(m, &m->listed, LISTED, index, 1);
	return c->fates[KD_DROP] == before + 1;
}

#define STAGES 3

static void run_round(struct memory *m, struct stage *stage)
{
	struct kd_out out = {.actions = m->actions, .room = KD_OUT_ROOM(BURST)};
	uint32_t index = 1u << 24; /* of the listed hellos: nobody else's */
	uint32_t from = 0;

	for (unsigned int i = 0; i < STAGES && m->wrong == NULL; i++) {
		uint64_t before = full_of(m, stage[i].kind);

		flood(m, &m->clean, stage[i].kind, from, stage[i].n);
		from += stage[i].kind == FRAGMENT ? 0 : stage[i].n;
		stage[i].full = full_of(m, stage[i].kind) - before;
		stage[i].room = stage[i].n - stage[i].full;
		if (!is_blocked(m, index++))
			wrong(m, "a listed hello passed behind a flood");
		stage[i].kb = resident_kb();
	}
	/* All of it is forgotten in time: there is room again. */
	m->now_ns += LATER_NS;
	kd_engine_advance(m->engine, m->now_ns, &out);
	take_back(m, &out);
	if (m->wrong == NULL && (!is_blocked(m, index) || !is_blocked(m, index)))
		wrong(m, "a listed hello, or what follows it, passed when all was over");
	end(m);
}

static void compare(
	struct memory *m, const struct stage *first, uint64_t touched_kb, const struct stage *second)
{
	for (unsigned int i = 0; i < STAGES; i++) {
		if (first[i].full != second[i].full)
			wrong(m, "the second round found other room than the first");
		if (second[i].full == 0)
			wrong(m, "a flood did not fill its pool: it says nothing");
		if (second[i].kb > touched_kb + SLACK_KB)
			wrong(m, "memory grew in the second round");
	}
}

/* --- telling --- */

static void print(const struct memory *m, const struct cost *cost, unsigned int ncosts, uint64_t start_kb,
	const struct stage *first, const struct stage *second)
{
	printf("resident bytes a flow, entry and place in the table, %u flows:\n", m->what->flows / 2);
	for (unsigned int i = 0; i < ncosts; i++)
		printf("  %-34s %8.1f\n", cost[i].name, cost[i].bytes);
	printf("an entry is %zu bytes, of IPv6 %zu; a gathering %zu and stream.depth, %u at most; fragments "
	       "held, %u at most\n\n",
		sizeof(struct kd_flow), sizeof(struct kd_flow6), sizeof(struct kd_gather), m->what->gathers,
		KD_HELD_MAX);
	printf("%-22s %10s %10s %10s %14s %14s\n", "flood", "packets", "found room", "did not",
		"MB, 1st round", "MB, 2nd round");
	printf("%-22s %10s %10s %10s %14.1f\n", "(none yet)", "", "", "", (double)start_kb / 1024);
	for (unsigned int i = 0; i < STAGES; i++)
		printf("%-22s %10u %10llu %10llu %14.1f %14.1f\n", second[i].name, second[i].n,
			(unsigned long long)second[i].room, (unsigned long long)second[i].full,
			(double)first[i].kb / 1024, (double)second[i].kb / 1024);
	printf("the first round touches the pages of pools and event ring, the second is given the same; "
	       "behind each flood, "
	       "and when\nall was forgotten, a listed hello was dropped; all %u buffers are back\n",
		BUFFERS);
}

static int write_json(const struct memory *m, const struct cost *cost, unsigned int ncosts, uint64_t start_kb,
	const struct stage *first, const struct stage *second)
{
	char text[4096];
	struct kd_json j;

	kd_json_start(&j, text, sizeof(text));
	kd_json_open(&j, NULL, '{');
	kd_json_str(&j, "bench", "memory");
	kd_json_open(&j, "flow_millibytes", '{');
	for (unsigned int i = 0; i < ncosts; i++)
		kd_json_u64(&j, cost[i].name, (uint64_t)(cost[i].bytes * 1e3));
	kd_json_close(&j, '}');
	kd_json_u64(&j, "start_kb", start_kb);
	kd_json_open(&j, "floods", '[');
	for (unsigned int i = 0; i < STAGES; i++) {
		kd_json_open(&j, NULL, '{');
		kd_json_str(&j, "name", second[i].name);
		kd_json_u64(&j, "packets", second[i].n);
		kd_json_u64(&j, "room", second[i].room);
		kd_json_u64(&j, "full", second[i].full);
		kd_json_u64(&j, "first_kb", first[i].kb);
		kd_json_u64(&j, "second_kb", second[i].kb);
		kd_json_close(&j, '}');
	}
	kd_json_close(&j, ']');
	kd_json_close(&j, '}');
	return kd_bench_json(&j, m->what->json);
}

/* --- all of it --- */

static int two_rounds(struct memory *m, struct stage *first, struct stage *second, uint64_t *ret_start_kb)
{
	uint32_t table = m->what->flows / 2;
	uint64_t touched_kb;
	int rc;

	rc = kd_bench_source_init(&m->clean, table, false, 0, "unlisted.example", 1);
	if (rc == 0)
		rc = kd_bench_source_init(&m->listed, 1, false, 0, m->what->name, 1);
	if (rc == 0)
		rc = begin(m, table, false);
	if (rc < 0)
		return rc;
	*ret_start_kb = resident_kb();
	run_round(m, first);
	touched_kb = resident_kb(); /* records that ended flows leave went through the event ring, too */
	kd_engine_reset(m->engine);
	m->now_ns = START_NS;
	run_round(m, second);
	compare(m, first, touched_kb, second);
	return 0;
}

int kd_bench_memory(const struct kd_bench_memory *what)
{
	struct cost cost[] = {{.name = "half-open, IPv4", .kind = HALF_OPEN},
		{.name = "decided, IPv4", .kind = CLEAN},
		{.name = "half-open, IPv6", .kind = HALF_OPEN, .v6 = true},
		{.name = "decided, IPv6", .kind = CLEAN, .v6 = true},
		{.name = "half a hello gathered, IPv4", .kind = HALF_HELLO}};
	const unsigned int ncosts = sizeof(cost) / sizeof(*cost);
	struct stage first[STAGES] = {{.name = "first fragments", .kind = FRAGMENT, .n = what->fragments},
		{.name = "half hellos", .kind = HALF_HELLO, .n = what->hellos},
		{.name = "half-open flows", .kind = HALF_OPEN, .n = what->flows}},
		     second[STAGES];
	struct memory *m = calloc(1, sizeof(*m));
	uint64_t start_kb = 0;
	int rc = m != NULL ? 0 : -ENOMEM;

	/* What an engine gave back is given back to the kernel, too, and not to the next engine's table. */
	mallopt(M_MMAP_THRESHOLD, 65536);
	memcpy(second, first, sizeof(first));
	if (rc == 0)
		m->what = what;
	for (unsigned int i = 0; i < ncosts && rc == 0; i++)
		rc = measure(m, &cost[i]);
	if (rc == 0)
		rc = two_rounds(m, first, second, &start_kb);
	if (rc < 0) {
		kd_complain("bench memory: %s", strerror(-rc));
		rc = KD_EXIT_ENVIRONMENT;
	} else if (m->wrong != NULL) {
		kd_complain("bench memory: %s", m->wrong);
		rc = KD_EXIT_EXPECTATION;
	}
	if (rc == 0 && (what->json == NULL || strcmp(what->json, "-") != 0))
		print(m, cost, ncosts, start_kb, first, second);
	if (rc == 0 && what->json != NULL)
		rc = write_json(m, cost, ncosts, start_kb, first, second);
	if (m != NULL) {
		kd_engine_free(m->engine);
		kd_bench_source_free(&m->listed);
		kd_bench_source_free(&m->clean);
	}
	free(m);
	return rc;
}

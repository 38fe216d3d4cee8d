/* SPDX-License-Identifier: BSD-3-Clause */
/* The engine's contract on a policy made by hand: determinism over burst sizes, time, overflow, many engines.
 * What the shipped rules do is the scenarios' business. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/cursor.h"
#include "engine/engine.h"
#include "engine/flow.h"
#include "engine/protocol.h"
#include "engine/rng.h"
#include "rulebook/policy.h"

#define SEC 1000000000ull
#define T0 (1647766800ull * SEC) /* noon in Moscow, 2022-03-20 */
#define PKTS_MAX 4096

static struct kd_rule rules[2];
static struct kd_policy policy;

static int make_policy(void **state)
{
	struct kd_names_builder *b = kd_names_builder_new();

	(void)state;
	assert_int_equal(kd_names_add(b, "listed.example", 14, KD_NAME_SELF | KD_NAME_BELOW, 1), 0);
	rules[1] = (struct kd_rule){.id = "sni",
		.phase = KD_PHASE_NAMES_BLOCKED,
		.opened_from = KD_INSIDE,
		.from = KD_ANY_SIDE,
		.mechanism = KD_MECHANISM_reset,
		.protocols = 1u << KD_PROTOCOL_tls,
		.name_set = 1,
		.residual_ns = 75 * SEC};
	policy = (struct kd_policy){.profile = "by-hand", .rules = rules, .nrules = 1};
	policy.settings = (struct kd_settings){.idle_tcp_ns = 600 * SEC,
		.idle_udp_ns = 600 * SEC,
		.idle_other_ns = 60 * SEC,
		.inspect_pkts = 20};
	return kd_names_build(&policy.names, b);
}

static int drop_policy(void **state)
{
	(void)state;
	kd_names_free(policy.names);
	return 0;
}

/* ---- packets ---- */

struct feed {
	struct kd_pkt pkt[PKTS_MAX];
	uint8_t *block[PKTS_MAX]; /* what free() gets: headroom, frame, tailroom */
	unsigned int n;
};

struct who {
	uint32_t client, server;
	uint16_t port;
};

static size_t put_hello(uint8_t *p, const char *name)
{
	size_t n = strlen(name), ext = n + 9, body = 2 + 32 + 1 + 4 + 2 + 2 + ext;

	memset(p, 0, 9 + body);
	p[0] = 0x16;
	p[1] = 3;
	p[2] = 1;
	kd_put16(p + 3, (uint16_t)(body + 4));
	p[5] = 1;
	kd_put16(p + 7, (uint16_t)body);
	p += 9;
	kd_put16(p, 0x0303);
	p += 2 + 32 + 1;
	kd_put16(p, 2);
	kd_put16(p + 2, 0x1301);
	p[4] = 1;
	kd_put16(p + 6, (uint16_t)ext);
	p += 8;
	kd_put16(p, 0);
	kd_put16(p + 2, (uint16_t)(n + 5));
	kd_put16(p + 4, (uint16_t)(n + 3));
	kd_put16(p + 7, (uint16_t)n);
	memcpy(p + 9, name, n);
	return 9 + body;
}

static void add(struct feed *f, const struct who *w, unsigned int side, uint64_t at_ns, uint8_t flags,
	uint32_t seq, const uint8_t *payload, size_t len)
{
	size_t total = 14 + 20 + 20 + len, frame = total < 60 ? 60 : total;
	uint8_t *p = calloc(1, frame + 64), *ip = p + 14, *tcp = p + 34;

	kd_put16(p + 12, 0x0800);
	ip[0] = 0x45;
	kd_put16(ip + 2, (uint16_t)(40 + len));
	ip[8] = 64;
	ip[9] = KD_PROTO_TCP;
	kd_put32(ip + 12, side == KD_INSIDE ? w->client : w->server);
	kd_put32(ip + 16, side == KD_INSIDE ? w->server : w->client);
	kd_put16(tcp, side == KD_INSIDE ? w->port : 443);
	kd_put16(tcp + 2, side == KD_INSIDE ? 443 : w->port);
	kd_put32(tcp + 4, seq);
	tcp[12] = 5 << 4;
	tcp[13] = flags;
	if (len != 0)
		memcpy(tcp + 20, payload, len);
	assert_true(f->n < PKTS_MAX);
	f->block[f->n] = p;
	f->pkt[f->n] = (struct kd_pkt){.data = p,
		.len = (uint32_t)frame,
		.wire_len = (uint32_t)frame,
		.tailroom = 64,
		.side = (uint8_t)side,
		.time_ns = at_ns,
		.number = f->n + 1,
		.handle = &f->pkt[f->n]};
	f->n++;
}

/* A connection: handshake, hello, answer, 5 ms apart. */
static void talk(struct feed *f, const struct who *w, uint64_t at_ns, const char *name)
{
	uint8_t hello[512], answer[200] = {0x16, 3, 3, 0, 195, 2};
	size_t len = put_hello(hello, name);

	add(f, w, KD_INSIDE, at_ns, KD_TCP_SYN, 1000, NULL, 0);
	add(f, w, KD_OUTSIDE, at_ns + 5000000, KD_TCP_SYN | KD_TCP_ACK, 7000, NULL, 0);
	add(f, w, KD_INSIDE, at_ns + 10000000, KD_TCP_ACK, 1001, NULL, 0);
	add(f, w, KD_INSIDE, at_ns + 15000000, KD_TCP_ACK | KD_TCP_PSH, 1001, hello, len);
	add(f, w, KD_OUTSIDE, at_ns + 20000000, KD_TCP_ACK | KD_TCP_PSH, 7001, answer, sizeof(answer));
}

static void feed_free(struct feed *f)
{
	for (unsigned int i = 0; i < f->n; i++)
		free(f->block[i]);
	free(f);
}

/* ---- runs ---- */

struct result {
	char *actions; /* one line each */
	size_t actions_len;
	struct kd_event *event;
	unsigned int events;
	struct kd_counters count;
};

static int by_key(const void *a, const void *b)
{
	const struct kd_event *x = a, *y = b;

#define KEY(field)                                                                                           \
	if (x->field != y->field)                                                                            \
	return x->field < y->field ? -1 : 1
	KEY(time_ns);
	KEY(number);
	KEY(box);
	KEY(n);
#undef KEY
	return 0;
}

static void drain(struct kd_engine *e, struct result *r)
{
	unsigned int got;

	do {
		r->event = realloc(r->event, (r->events + 64) * sizeof(*r->event));
		memset(r->event + r->events, 0, 64 * sizeof(*r->event));
		got = kd_engine_events(e, r->event + r->events, 64);
		for (unsigned int i = 0; i < got; i++)
			if (r->event[r->events + i].type == KD_EVENT_FLOW)
				assert_true(r->event[r->events + i].time_ns > 0);
		r->events += got;
	} while (got == 64);
}

static void take(struct result *r, FILE *to, const struct kd_out *out)
{
	for (uint32_t i = 0; i < out->count; i++) {
		const struct kd_action *a = &out->actions[i];

		fprintf(to, "%lu.%u %u %u %s %u %lu %lx ", (unsigned long)a->number, a->n, a->fate, a->side,
			kd_reason_name(a->reason), a->rule, (unsigned long)a->time_ns,
			(unsigned long)a->flow_id);
		for (uint32_t b = 0; b < a->len; b++)
			fprintf(to, "%02x", a->data[b]);
		fputc('\n', to);
	}
	(void)r;
}

static void copy_feed(struct feed *to, const struct feed *from)
{
	*to = *from;
	for (unsigned int i = 0; i < from->n; i++) {
		to->block[i] = malloc(from->pkt[i].len + 64);
		memcpy(to->block[i], from->block[i], from->pkt[i].len + 64);
		to->pkt[i].data = to->block[i];
	}
}

/* Runs a copy of the feed in bursts, with `ticks` advances before each; the engine must be fresh or reset. */
static void run_on(struct kd_engine *e, const struct feed *from, unsigned int burst, unsigned int ticks,
	struct result *r)
{
	static struct kd_action actions[KD_BURST_MAX * KD_ACTIONS_PER_PKT];
	struct kd_out out = {.actions = actions, .room = KD_BURST_MAX * KD_ACTIONS_PER_PKT};
	struct feed *f = malloc(sizeof(*f));
	FILE *to;

	memset(r, 0, sizeof(*r));
	to = open_memstream(&r->actions, &r->actions_len);
	copy_feed(f, from);
	for (unsigned int at = 0; at < f->n; at += burst) {
		unsigned int n = f->n - at < burst ? f->n - at : burst;
		uint64_t before = at == 0 ? f->pkt[0].time_ns : f->pkt[at - 1].time_ns;

		for (unsigned int i = 0; i < ticks; i++) {
			kd_engine_advance(e, before + (f->pkt[at].time_ns - before) * i / ticks, &out);
			assert_int_equal(out.count, 0);
		}
		kd_engine_burst(e, f->pkt + at, n, &out);
		take(r, to, &out);
		drain(e, r);
	}
	while (kd_engine_finish(e) != 0)
		drain(e, r);
	drain(e, r);
	fclose(to);
	qsort(r->event, r->events, sizeof(*r->event), by_key);
	r->count = *kd_engine_counters(e);
	assert_null(kd_counters_unbalanced(&r->count));
	feed_free(f);
}

static struct kd_engine *engine(uint32_t flows, uint32_t events)
{
	struct kd_engine_config c = KD_ENGINE_CONFIG_DEFAULT;
	struct kd_engine *e = NULL;

	c.policy = &policy;
	c.flow_ids = true;
	c.flows4_max = flows;
	c.flows6_max = 4;
	c.events_max = events;
	assert_int_equal(kd_engine_new(&e, &c), 0);
	return e;
}

static void result_free(struct result *r)
{
	free(r->actions);
	free(r->event);
}

static unsigned int count_of(const struct result *r, unsigned int type, const char *reason)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < r->events; i++) {
		const struct kd_event *e = &r->event[i];

		n += e->type == type && (reason == NULL || strcmp(kd_reason_name(e->reason), reason) == 0);
	}
	return n;
}

static int by_time(const void *a, const void *b)
{
	const struct kd_pkt *x = a, *y = b;

	if (x->time_ns != y->time_ns)
		return x->time_ns < y->time_ns ? -1 : 1;
	return x->number < y->number ? -1 : x->number > y->number;
}

/* Fifty connections that overlap, a third of them listed, some reused after 60, 80 and 700 seconds. */
static struct feed *busy_feed(void)
{
	struct feed *f = calloc(1, sizeof(*f));

	for (unsigned int round = 0; round < 4; round++) {
		static const uint64_t at[] = {0, 60, 80, 780};

		for (unsigned int i = 0; i < 50; i++) {
			struct who w = {.client = 0xc6120002 + i % 5,
				.server = 0xcb00710a,
				.port = (uint16_t)(40000 + i)};

			talk(f, &w, T0 + at[round] * SEC + i * 1700000,
				i % 3 == 0 ? "www.listed.example" : "other.example");
		}
	}
	qsort(f->pkt, f->n, sizeof(f->pkt[0]), by_time);
	for (unsigned int i = 0; i < f->n; i++) {
		f->block[i] = f->pkt[i].data;
		f->pkt[i].number = i + 1;
	}
	return f;
}

static void test_same_bytes_out(void **state)
{
	static const unsigned int burst[] = {1, 7, 32, 33, 256}, ticks[] = {0, 3};
	struct feed *f = busy_feed();
	struct result first, r;

	(void)state;
	for (unsigned int b = 0; b < 5; b++) {
		for (unsigned int t = 0; t < 2; t++) {
			struct kd_engine *e = engine(64, 8192);

			run_on(e, f, burst[b], ticks[t], &r);
			kd_engine_free(e);
			if (b == 0 && t == 0) {
				first = r;
				continue;
			}
			assert_string_equal(r.actions, first.actions);
			assert_int_equal(r.events, first.events);
			for (unsigned int i = 0; i < r.events; i++)
				assert_memory_equal(&r.event[i], &first.event[i], sizeof(r.event[i]));
			result_free(&r);
		}
	}
	/* 17 listed of 50; at +60 s still held by the residual, at +80 s and +780 s taken anew. */
	assert_int_equal(count_of(&first, KD_EVENT_VERDICT, "reset.armed"), 3 * 17);
	assert_int_equal(first.count.fates[KD_REWRITE], (1 + 2 + 1 + 1) * 17);
	result_free(&first);
	feed_free(f);
}

static void test_reset_is_fresh(void **state)
{
	struct feed *f = busy_feed();
	struct kd_engine *e = engine(64, 8192);
	struct result a, b;

	(void)state;
	run_on(e, f, 32, 0, &a);
	kd_engine_reset(e);
	run_on(e, f, 32, 0, &b);
	assert_string_equal(a.actions, b.actions);
	assert_int_equal(a.events, b.events);
	assert_memory_equal(&a.count, &b.count, sizeof(a.count));
	result_free(&a);
	result_free(&b);
	kd_engine_free(e);
	feed_free(f);
}

/* SYN, SYN/ACK, ACK, hello and answer in one burst: the flow the hello needs is made by the same burst. */
static void test_one_burst(void **state)
{
	struct who w = {.client = 0xc6120002, .server = 0xcb00710a, .port = 40000};
	struct feed *f = calloc(1, sizeof(*f));
	struct kd_engine *e = engine(4, 64);
	struct result r;

	(void)state;
	talk(f, &w, T0, "listed.example");
	run_on(e, f, 32, 0, &r);
	assert_int_equal(r.count.flows_new, 1);
	assert_int_equal(r.count.fates[KD_REWRITE], 1);
	assert_int_equal(count_of(&r, KD_EVENT_FLOW, "reset.rewritten"), 1);
	result_free(&r);
	kd_engine_free(e);
	feed_free(f);
}

/* A flow's record carries the moment it died, to the nanosecond, however late anyone noticed. */
static void test_idle_time(void **state)
{
	struct who w = {.client = 0xc6120002, .server = 0xcb00710a, .port = 40000}, other = w;
	struct feed *f = calloc(1, sizeof(*f));
	struct kd_engine *e = engine(4, 64);
	struct result r;

	(void)state;
	other.port = 50000;
	talk(f, &w, T0, "other.example");
	add(f, &w, KD_INSIDE, T0 + 20000000 + 600 * SEC - 1, KD_TCP_ACK, 1300, NULL, 0);
	add(f, &w, KD_INSIDE, T0 + 20000000 + 1200 * SEC - 1, KD_TCP_ACK, 1300, NULL, 0);
	add(f, &other, KD_INSIDE, T0 + 9000 * SEC, KD_TCP_SYN, 1, NULL, 0);
	run_on(e, f, 1, 0, &r);
	assert_int_equal(r.count.flows_new, 3);
	/* 1: alive at 600 s - 1 ns. 2: dead at exactly 600 s. Both die 600 s after their last packet. */
	assert_int_equal(count_of(&r, KD_EVENT_FLOW, NULL), 3);
	assert_int_equal(r.event[1].type, KD_EVENT_FLOW);
	assert_true(r.event[1].time_ns == T0 + 20000000 + 1200 * SEC - 1);
	assert_int_equal(r.event[1].end_reason, KD_REASON_FLOW_IDLE);
	assert_true(r.event[2].time_ns == T0 + 20000000 + 1800 * SEC - 1);
	result_free(&r);
	kd_engine_free(e);
	feed_free(f);
}

/* No record may come out with a time below a horizon the engine has already promised. */
static void test_horizon(void **state)
{
	static struct kd_action actions[KD_BURST_MAX * KD_ACTIONS_PER_PKT];
	struct kd_out out = {.actions = actions, .room = KD_BURST_MAX * KD_ACTIONS_PER_PKT};
	struct kd_engine *e = engine(512, 4096);
	struct feed *f = calloc(1, sizeof(*f));
	struct kd_event ev[64];
	uint64_t promised = 0, first = 0;
	unsigned int flows = 0, got;

	(void)state;
	for (unsigned int i = 0; i < 700; i++) {
		struct who w = {.client = 0xc6120002, .server = 0xcb00710a, .port = (uint16_t)(1024 + i)};

		talk(f, &w, T0 + i * 3 * SEC, "other.example");
	}
	for (unsigned int i = 0; i < f->n; i++) {
		kd_engine_burst(e, f->pkt + i, 1, &out);
		kd_engine_advance(e, f->pkt[i].time_ns + SEC / 1000, &out);
		while ((got = kd_engine_events(e, ev, 64)) != 0) {
			for (unsigned int k = 0; k < got; k++) {
				assert_true(ev[k].time_ns >= promised);
				flows += ev[k].type == KD_EVENT_FLOW;
			}
		}
		assert_true(kd_engine_horizon(e) >= promised);
		promised = kd_engine_horizon(e);
		first = first == 0 && promised > T0 ? i : first;
	}
	/* The sweep keeps up: flows die while the feed runs, and the promise moves on. */
	assert_true(flows > 450);
	assert_true(promised > T0 + 2000 * SEC);
	feed_free(f);
	kd_engine_free(e);
}

static void test_table_full(void **state)
{
	struct feed *f = calloc(1, sizeof(*f));
	struct kd_engine *e = engine(2, 64);
	struct result r;

	(void)state;
	for (unsigned int i = 0; i < 4; i++) {
		struct who w = {.client = 0xc6120002, .server = 0xcb00710a, .port = (uint16_t)(40000 + i)};

		talk(f, &w, T0 + i * 1000, "listed.example");
	}
	run_on(e, f, 7, 0, &r);
	assert_int_equal(r.count.flows_new, 2);
	assert_int_equal(r.count.untracked, 2 * 5);
	/* Still deciding: all four hellos are recognised; two flows are remembered, so two answers are cut.
	 */
	assert_int_equal(count_of(&r, KD_EVENT_VERDICT, "reset.armed"), 4);
	assert_int_equal(r.count.fates[KD_REWRITE], 2);
	assert_int_equal(r.count.reasons[KD_REASON_FLOW_TABLE_FULL], 2 * 4);
	result_free(&r);
	kd_engine_free(e);
	feed_free(f);
}

/* A ring nobody empties: records are lost and counted, packets are not. */
static void test_ring_full(void **state)
{
	static struct kd_action actions[KD_BURST_MAX * KD_ACTIONS_PER_PKT];
	struct kd_out out = {.actions = actions, .room = KD_BURST_MAX * KD_ACTIONS_PER_PKT};
	struct feed *f = busy_feed();
	struct kd_engine *e = engine(64, 16);

	(void)state;
	for (unsigned int i = 0; i < f->n; i++)
		kd_engine_burst(e, f->pkt + i, 1, &out);
	assert_true(kd_engine_counters(e)->events_lost > 100);
	assert_null(kd_counters_unbalanced(kd_engine_counters(e)));
	assert_int_equal(kd_engine_counters(e)->fates[KD_REWRITE], 5 * 17);
	kd_engine_free(e);
	feed_free(f);
}

#define MANY 1000

static void test_thousand_engines(void **state)
{
	static struct kd_engine *many[MANY];
	struct who w = {.client = 0xc6120002, .server = 0xcb00710a, .port = 40000};
	struct feed *f = calloc(1, sizeof(*f));
	struct result r;
	char *first = NULL;

	(void)state;
	talk(f, &w, T0, "www.listed.example");
	for (unsigned int i = 0; i < MANY; i++)
		many[i] = engine(8, 16);
	for (unsigned int i = 0; i < MANY; i++) {
		run_on(many[i], f, 5, 0, &r);
		assert_int_equal(r.count.fates[KD_REWRITE], 1);
		if (first == NULL)
			first = strdup(r.actions);
		assert_string_equal(r.actions, first);
		result_free(&r);
	}
	for (unsigned int i = 0; i < MANY; i++)
		kd_engine_free(many[i]);
	free(first);
	feed_free(f);
}

/* Misses are drawn per flow: the share is as asked, the same seed misses the same flows, another seed others.
 */
static void test_miss(void **state)
{
	struct feed *f = calloc(1, sizeof(*f));
	struct result r[3];
	unsigned int missed;

	(void)state;
	rules[1].miss = UINT64_MAX / 4;
	for (unsigned int i = 0; i < 400; i++) {
		struct who w = {
			.client = 0xc6120002 + i, .server = 0xcb00710a, .port = (uint16_t)(30000 + i)};

		talk(f, &w, T0 + i * 25000000ull, "listed.example");
	}
	for (unsigned int i = 0; i < 3; i++) {
		struct kd_engine_config c = KD_ENGINE_CONFIG_DEFAULT;
		struct kd_engine *e;

		c.policy = &policy;
		c.flow_ids = true;
		c.seed = i < 2 ? 5 : 6;
		assert_int_equal(kd_engine_new(&e, &c), 0);
		run_on(e, f, 32, 0, &r[i]);
		kd_engine_free(e);
	}
	rules[1].miss = 0;
	missed = count_of(&r[0], KD_EVENT_VERDICT, "decide.missed");
	assert_in_range(missed, 70, 130); /* 100 expected, sigma 8.7 */
	assert_int_equal(count_of(&r[0], KD_EVENT_VERDICT, "reset.armed"), 400 - missed);
	assert_string_equal(r[0].actions, r[1].actions);
	assert_string_not_equal(r[0].actions, r[2].actions);
	for (unsigned int i = 0; i < 3; i++)
		result_free(&r[i]);
	feed_free(f);
}

/* A head that does not end within HTTP's 8 KB is not waited for; one byte less of it is "need more". */
static void test_byte_budget(void **state)
{
	struct who w = {.client = 0xc6120002, .server = 0xcb00710a, .port = 40000};
	struct feed *f = calloc(1, sizeof(*f));
	struct kd_engine *e = engine(4, 64);
	uint8_t head[9000];
	struct result r;

	(void)state;
	memset(head, 'a', sizeof(head));
	memcpy(head, "GET / HTTP/1.1\r\nX: ", 19);
	memcpy(head + 8300, "\r\nHost: x.example\r\n\r\n", 21);
	add(f, &w, KD_INSIDE, T0, KD_TCP_ACK, 1, head, 8321);
	add(f, &w, KD_INSIDE, T0, KD_TCP_ACK, 1, head, 8191);
	run_on(e, f, 32, 0, &r);
	assert_int_equal(r.count.reasons[KD_REASON_CLASSIFY_BYTES], 1);
	assert_int_equal(r.count.reasons[KD_REASON_CLASSIFY_UNKNOWN], 0);
	assert_int_equal(count_of(&r, KD_EVENT_APP, NULL), 0);
	result_free(&r);
	kd_engine_free(e);
	feed_free(f);
}

/* Flows that died unnoticed never cost a live one its place, however seldom the sweep comes by. */
static void test_dead_make_room(void **state)
{
	static const unsigned int burst[] = {1, 256};
	struct feed *f = calloc(1, sizeof(*f));
	struct result r[2];

	(void)state;
	for (unsigned int i = 0; i < 8; i++) {
		struct who w = {.client = 0xc6120002, .server = 0xcb00710a, .port = (uint16_t)(30000 + i)};

		add(f, &w, KD_INSIDE, T0 + i, KD_TCP_SYN, 1, NULL, 0);
	}
	for (unsigned int i = 0; i < 12; i++) {
		struct who w = {.client = 0xc6120002, .server = 0xcb00710a, .port = (uint16_t)(40000 + i)};

		talk(f, &w, T0 + (3600 + 700 * (i / 4)) * SEC + i * 40000000ull, "listed.example");
	}
	for (unsigned int i = 0; i < 2; i++) {
		struct kd_engine *e = engine(8, 256);

		run_on(e, f, burst[i], 0, &r[i]);
		assert_int_equal(r[i].count.untracked, 0);
		assert_int_equal(r[i].count.fates[KD_REWRITE], 12);
		assert_int_equal(r[i].count.flows_new, 20);
		kd_engine_free(e);
	}
	assert_string_equal(r[0].actions, r[1].actions);
	assert_int_equal(r[0].events, r[1].events);
	for (unsigned int i = 0; i < r[0].events; i++)
		assert_memory_equal(&r[0].event[i], &r[1].event[i], sizeof(r[0].event[i]));
	result_free(&r[0]);
	result_free(&r[1]);
	feed_free(f);
}

/* A clock that was not set yet, as routers have it: 1970, and then today. */
static void test_clock_jump(void **state)
{
	struct who early = {.client = 0xc6120002, .server = 0xcb00710a, .port = 30000}, w = early;
	struct feed *f = calloc(1, sizeof(*f));
	struct kd_engine *e = engine(8, 64);
	struct result r;

	(void)state;
	w.port = 40000;
	add(f, &early, KD_INSIDE, 5 * SEC, KD_TCP_SYN, 1, NULL, 0);
	talk(f, &w, T0, "listed.example");
	run_on(e, f, 32, 0, &r);
	assert_int_equal(r.event[0].type, KD_EVENT_FLOW);
	assert_true(r.event[0].time_ns == 605 * SEC);
	assert_int_equal(r.event[2].type, KD_EVENT_VERDICT);
	assert_true(r.event[2].until_ns == T0 + 15000000 + 75 * SEC);
	assert_int_equal(r.event[3].type, KD_EVENT_FLOW);
	assert_true(r.event[3].time_ns == T0 + 20000000);
	result_free(&r);
	kd_engine_free(e);
	feed_free(f);
}

/* What was done to a flow is what its record tells, whatever is found out later; a residual's end names no
 * name. */
static void test_effect_is_remembered(void **state)
{
	struct who w = {.client = 0xc6120002, .server = 0xcb00710a, .port = 40000};
	struct feed *f = calloc(1, sizeof(*f));
	struct kd_engine *e = engine(8, 64);
	const struct kd_event *last;
	uint8_t hello[512];
	struct result r;
	size_t len;

	(void)state;
	talk(f, &w, T0, "listed.example");
	len = put_hello(hello, "other.example");
	add(f, &w, KD_INSIDE, T0 + 100 * SEC, KD_TCP_ACK, 2000, hello, len);
	add(f, &w, KD_OUTSIDE, T0 + 101 * SEC, KD_TCP_ACK, 9000, hello, 100);
	run_on(e, f, 32, 0, &r);
	last = &r.event[r.events - 1];
	assert_int_equal(last->type, KD_EVENT_FLOW);
	assert_int_equal(last->outcome, KD_OUTCOME_BLOCKED);
	assert_string_equal(kd_reason_name(last->reason), "reset.rewritten");
	assert_int_equal(last->rule, 1);
	assert_int_equal(r.event[2].reason, KD_REASON_DECIDE_RESIDUAL_OVER);
	assert_int_equal(r.event[2].field[0].len, KD_FIELD_ABSENT);
	assert_int_equal(r.count.reasons[KD_REASON_FLOW_DONE], 1);
	result_free(&r);
	kd_engine_free(e);
	feed_free(f);
}

/* A hello that the capture cut is not one that the client cut; and bytes beyond a terabyte stand still. */
static void test_wire_length(void **state)
{
	struct who w = {.client = 0xc6120002, .server = 0xcb00710a, .port = 40000};
	struct feed *f = calloc(1, sizeof(*f));
	struct kd_engine *e = engine(8, 64);
	uint8_t hello[512];
	struct result r;
	size_t len;

	(void)state;
	len = put_hello(hello, "listed.example");
	add(f, &w, KD_INSIDE, T0, KD_TCP_ACK, 1, hello, len);
	f->pkt[0].len -= 10; /* wire_len and the IP length still say all of it */
	for (unsigned int i = 0; i < 300; i++) {
		add(f, &w, KD_OUTSIDE, T0, KD_TCP_ACK, 1, NULL, 0);
		f->pkt[f->n - 1].wire_len = UINT32_MAX;
	}
	run_on(e, f, 32, 0, &r);
	assert_int_equal(r.count.reasons[KD_REASON_TRUNCATED_CAPTURE], 1);
	assert_int_equal(r.event[0].type, KD_EVENT_FLOW);
	assert_true(r.event[0].bytes[KD_OUTSIDE] == (1ull << 40) - 1);
	assert_int_equal(r.event[0].pkts[KD_OUTSIDE], 300);
	result_free(&r);
	kd_engine_free(e);
	feed_free(f);
}

static void test_unbalanced_says_which(void **state)
{
	struct kd_counters c = {.in = {3, 2}, .fates = {[KD_EMIT] = 4, [KD_DROP] = 1}};

	(void)state;
	c.reasons[KD_REASON_DECIDE_NO_RULE] = 5;
	assert_null(kd_counters_unbalanced(&c));
	c.in[0]++;
	assert_non_null(strstr(kd_counters_unbalanced(&c), "packets in"));
	c.held = 1;
	assert_null(kd_counters_unbalanced(&c));
	c.reasons[KD_REASON_DECIDE_NO_RULE]--;
	assert_non_null(strstr(kd_counters_unbalanced(&c), "reasons do not"));
	c.reasons[KD_REASON_NONE]++;
	assert_non_null(strstr(kd_counters_unbalanced(&c), "without a reason"));
	c.reasons[KD_REASON_NONE]--;
	c.reasons[KD_REASON_DECIDE_NO_RULE]++;
	c.fates[KD_INJECT]++;
	assert_non_null(strstr(kd_counters_unbalanced(&c), "injected"));
	c.fates[KD_INJECT]--;
	c.flows_new++;
	assert_non_null(strstr(kd_counters_unbalanced(&c), "flows"));
}

/* `stage.what_happened`, unique over the engine, all protocols and all mechanisms. */
static void test_reason_names(void **state)
{
	const char *seen[KD_REASON_COUNT];
	unsigned int n = 0;

	(void)state;
	for (unsigned int i = 1; i < KD_REASON_COUNT; i++) {
		const struct kd_reason *r = kd_reason((uint16_t)i);

		if (r == NULL)
			continue;
		assert_true(strlen(r->sentence) > 10);
		assert_non_null(strchr(r->name, '.'));
		assert_int_equal(strspn(r->name, "abcdefghijklmnopqrstuvwxyz0123456789._"), strlen(r->name));
		for (unsigned int k = 0; k < n; k++)
			assert_string_not_equal(seen[k], r->name);
		seen[n++] = r->name;
	}
	assert_true(n > KD_REASON_CORE_COUNT);
	assert_null(kd_reason(KD_REASON_COUNT));
	assert_string_equal(kd_reason_name(0xffff), "none");
}

static void test_bad_config(void **state)
{
	struct kd_engine_config c = KD_ENGINE_CONFIG_DEFAULT;
	struct kd_engine *e = (void *)1;

	(void)state;
	assert_int_equal(kd_engine_new(&e, &c), -22);
	c.policy = &policy;
	c.flows4_max = 0;
	assert_int_equal(kd_engine_new(&e, &c), -22);
	c.flows4_max = 4;
	c.events_max = 0;
	assert_int_equal(kd_engine_new(&e, &c), -22);
	assert_ptr_equal(e, (void *)1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_bytes_out),
		cmocka_unit_test(test_reset_is_fresh),
		cmocka_unit_test(test_one_burst),
		cmocka_unit_test(test_idle_time),
		cmocka_unit_test(test_horizon),
		cmocka_unit_test(test_table_full),
		cmocka_unit_test(test_ring_full),
		cmocka_unit_test(test_thousand_engines),
		cmocka_unit_test(test_miss),
		cmocka_unit_test(test_byte_budget),
		cmocka_unit_test(test_dead_make_room),
		cmocka_unit_test(test_clock_jump),
		cmocka_unit_test(test_effect_is_remembered),
		cmocka_unit_test(test_wire_length),
		cmocka_unit_test(test_unbalanced_says_which),
		cmocka_unit_test(test_reason_names),
		cmocka_unit_test(test_bad_config),
	};

	return cmocka_run_group_tests(tests, make_policy, drop_policy);
}

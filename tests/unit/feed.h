/* SPDX-License-Identifier: BSD-3-Clause */
/* What the engine's tests share: a policy made by hand, connections of packets, and an engine run over them
 * in bursts. */
#ifndef KD_TEST_FEED_H
#define KD_TEST_FEED_H

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

#define RULES_MAX 80
#define TERMS_MAX 80

static struct kd_rule rules[RULES_MAX];
static struct kd_term terms[TERMS_MAX];
static struct kd_policy policy;

/* Where each phase begins; rules stand in order of their phases. */
static inline void lay_out_phases(void)
{
	uint32_t i = 1;

	for (unsigned int phase = 0; phase <= KD_PHASE_COUNT; phase++) {
		while (phase > 0 && i <= policy.nrules && rules[i].phase < phase)
			i++;
		policy.phase_first[phase] = i;
	}
	assert_int_equal(i, policy.nrules + 1);
}

static inline void empty_policy(void)
{
	memset(rules, 0, sizeof(rules));
	memset(terms, 0, sizeof(terms));
	policy = (struct kd_policy){.profile = "by-hand", .rules = rules, .terms = terms};
	policy.box = (struct kd_box){.id = "box", .of = 1, .protocols = UINT64_MAX};
	policy.settings = (struct kd_settings){.idle_syn_ns = 600 * SEC,
		.idle_established_ns = 600 * SEC,
		.idle_udp_ns = 600 * SEC,
		.idle_other_ns = 60 * SEC,
		.inspect_pkts = 20,
		.fallback_pkts = 3,
		.frag_most = 45,
		.frag_lifetime_ns = 5 * SEC};
}

/* One rule: TLS opened from inside to listed.example is reset for 75 s. */
static inline int make_policy(void **state)
{
	struct kd_names_builder *b = kd_names_builder_new();

	(void)state;
	assert_int_equal(kd_names_add(b, "listed.example", 14, KD_NAME_SELF | KD_NAME_BELOW, 1), 0);
	empty_policy();
	terms[0] = (struct kd_term){
		.kind = KD_TERM_OPENED, .of = KD_INSIDE, .on_true = 1, .on_false = KD_TERM_FALSE};
	terms[1] = (struct kd_term){.kind = KD_TERM_NAME,
		.mask = 1u << KD_PROTOCOL_tls,
		.set = 1,
		.on_true = KD_TERM_TRUE,
		.on_false = KD_TERM_FALSE};
	rules[1] = (struct kd_rule){.id = "sni",
		.phase = KD_PHASE_NAMES_BLOCKED,
		.mechanism = KD_MECHANISM_reset,
		.presence = UINT64_MAX,
		.residual_ns = 75 * SEC};
	policy.nrules = 1;
	policy.nterms = 2;
	lay_out_phases();
	return kd_names_build(&policy.names, b);
}

static inline int drop_policy(void **state)
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

static inline size_t put_hello(uint8_t *p, const char *name)
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

static inline void add(struct feed *f, const struct who *w, unsigned int side, uint64_t at_ns, uint8_t flags,
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
static inline void talk(struct feed *f, const struct who *w, uint64_t at_ns, const char *name)
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

static inline void drain(struct kd_engine *e, struct result *r)
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

static inline void take(struct result *r, FILE *to, const struct kd_out *out)
{
	for (uint32_t i = 0; i < out->count; i++) {
		const struct kd_action *a = &out->actions[i];

		fprintf(to, "%lu.%u %u %u %s %u %lu %lx ", (unsigned long)a->number, a->n, a->fate, a->side,
			kd_reason_name(a->reason), a->rule, (unsigned long)a->time_ns,
			(unsigned long)a->flow_id);
		for (uint32_t b = 0; b < a->len && a->fate != KD_HOLD; b++)
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
static inline void run_on(struct kd_engine *e, const struct feed *from, unsigned int burst,
	unsigned int ticks, struct result *r)
{
	static struct kd_action actions[KD_OUT_ROOM(KD_BURST_MAX)];
	struct kd_out out = {.actions = actions, .room = KD_OUT_ROOM(KD_BURST_MAX)};
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
			take(r, to, &out);
		}
		kd_engine_burst(e, f->pkt + at, n, &out);
		take(r, to, &out);
		drain(e, r);
	}
	kd_engine_release(e, &out);
	take(r, to, &out);
	while (kd_engine_finish(e) != 0)
		drain(e, r);
	drain(e, r);
	fclose(to);
	qsort(r->event, r->events, sizeof(*r->event), by_key);
	r->count = *kd_engine_counters(e);
	assert_null(kd_counters_unbalanced(&r->count));
	feed_free(f);
}

static inline struct kd_engine *engine(uint32_t flows, uint32_t events)
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

static inline void result_free(struct result *r)
{
	free(r->actions);
	free(r->event);
}

static inline unsigned int count_of(const struct result *r, unsigned int type, const char *reason)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < r->events; i++) {
		const struct kd_event *e = &r->event[i];

		n += e->type == type && (reason == NULL || strcmp(kd_reason_name(e->reason), reason) == 0);
	}
	return n;
}

#endif

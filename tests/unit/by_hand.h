/* SPDX-License-Identifier: BSD-3-Clause */
/* Policies put together rule by rule and term by term, as the compiler would, and packets of every transport.
 */
#ifndef KD_TEST_BY_HAND_H
#define KD_TEST_BY_HAND_H

#include "feed.h"

#define YES KD_TERM_TRUE
#define NO KD_TERM_FALSE
#define ALL UINT64_MAX
#define MS 1000000ull

#define BIT(n) (1ull << (n))
#define TLS BIT(KD_PROTOCOL_tls)
#define HTTP BIT(KD_PROTOCOL_http)

/* Name sets. */
enum { LISTED = 1, ALLOWED, OWN };
/* Prefix sets: the server, the client, the server's half, and its twin in IPv6. */
enum { P_SERVER = 1, P_CLIENT, P_HALF, P_SERVER6 };
/* Signatures. */
enum { SIG_SSH = 1, SIG_UDP };

#define CLIENT 0xc6120002u /* 198.18.0.2 */
#define SERVER 0xcb00710au /* 203.0.113.10 */

static struct kd_names *names;
static struct kd_prefixes *prefixes;
static struct kd_patterns *signatures;
static struct kd_counter counters[4];
static uint8_t transports[] = {0, KD_TRANSPORT_TCP, KD_TRANSPORT_UDP};

static inline int make_sets(void **state)
{
	static const char *const exprs[] = {"^SSH-", "^\\x00\\x01"};
	static const uint16_t ids[] = {SIG_SSH, SIG_UDP};
	static const uint8_t server6[16] = {0x20, 1, 0x0d, 0xb8, 0, 1};
	struct kd_names_builder *b = kd_names_builder_new();
	struct kd_prefixes_builder *p = kd_prefixes_builder_new();
	unsigned int bad;
	char *why;

	(void)state;
	assert_int_equal(kd_names_add(b, "listed.example", 14, KD_NAME_SELF | KD_NAME_BELOW, LISTED), 0);
	assert_int_equal(kd_names_add(b, "allowed.example", 15, KD_NAME_SELF | KD_NAME_BELOW, ALLOWED), 0);
	assert_int_equal(kd_names_add(b, "own.listed.example", 18, KD_NAME_SELF | KD_NAME_BELOW, OWN), 0);
	assert_int_equal(kd_names_build(&names, b), 0);
	assert_int_equal(kd_prefixes_add(p, (const uint8_t[]){203, 0, 113, 0}, false, 24, P_SERVER), 0);
	assert_int_equal(kd_prefixes_add(p, (const uint8_t[]){198, 18, 0, 2}, false, 32, P_CLIENT), 0);
	assert_int_equal(kd_prefixes_add(p, (const uint8_t[]){203, 0, 113, 128}, false, 25, P_HALF), 0);
	assert_int_equal(kd_prefixes_add(p, server6, true, 48, P_SERVER6), 0);
	assert_int_equal(kd_prefixes_build(&prefixes, p), 0);
	return kd_patterns_new(&signatures, KD_PATTERN_PAYLOAD, exprs, ids, 2, &bad, &why);
}

static inline int drop_sets(void **state)
{
	(void)state;
	kd_names_free(names);
	kd_prefixes_free(prefixes);
	kd_patterns_free(signatures);
	return 0;
}

/* ---- policies ---- */

/* Before every test. */
static inline int start(void **state)
{
	(void)state;
	empty_policy();
	memset(counters, 0, sizeof(counters));
	policy.names = names;
	policy.prefixes = prefixes;
	policy.signatures = signatures;
	policy.signature_transports = transports;
	policy.nsignatures = 2;
	policy.counters = counters;
	return 0;
}

/* A term at the end of the program; those that do not say where to go give the answer. */
static inline uint16_t term(struct kd_term t)
{
	if (t.on_true == 0 && t.on_false == 0) {
		t.on_true = YES;
		t.on_false = NO;
	}
	assert_true(policy.nterms < TERMS_MAX);
	terms[policy.nterms] = t;
	return (uint16_t)policy.nterms++;
}

static inline uint16_t named(unsigned int set)
{
	return term((struct kd_term){.kind = KD_TERM_NAME, .mask = TLS | HTTP, .set = (uint16_t)set});
}

/* The last term, and one more to hold with it. */
static inline uint16_t and_then(uint16_t first, struct kd_term t)
{
	uint16_t next = term(t);

	assert_int_equal(next, first + 1);
	terms[first].on_true = next;
	return first;
}

/* Rules are to come in order of their phases. */
static inline uint16_t rule(struct kd_rule r)
{
	assert_true(policy.nrules + 1 < RULES_MAX);
	if (r.presence == 0)
		r.presence = ALL;
	rules[++policy.nrules] = r;
	lay_out_phases();
	return (uint16_t)policy.nrules;
}

static inline uint16_t drop_rule(const char *id, unsigned int phase, uint16_t first_term)
{
	return rule((struct kd_rule){
		.id = id, .phase = (uint8_t)phase, .mechanism = KD_MECHANISM_drop, .first_term = first_term});
}

static inline uint16_t allow_rule(
	const char *id, unsigned int phase, uint16_t first_term, unsigned int closes)
{
	return rule((struct kd_rule){.id = id,
		.phase = (uint8_t)phase,
		.mechanism = KD_MECHANISM_NONE,
		.closes = (uint8_t)closes,
		.first_term = first_term});
}

static inline uint16_t watch_rule(const char *id, uint16_t first_term)
{
	return rule((struct kd_rule){.id = id,
		.phase = KD_PHASE_OBSERVE,
		.mechanism = KD_MECHANISM_NONE,
		.first_term = first_term});
}

/* ---- packets ---- */

static const struct who w0 = {.client = CLIENT, .server = SERVER, .port = 40000};

/* IPv4 of any protocol but TCP; UDP goes to port 443. */
static inline void add_ip(struct feed *f, const struct who *w, unsigned int side, uint64_t at_ns,
	uint8_t proto, const uint8_t *payload, size_t len)
{
	size_t total = 14 + 20 + 8 + len, frame = total < 60 ? 60 : total;
	uint8_t *p = calloc(1, frame + 64), *ip = p + 14, *l4 = p + 34;

	kd_put16(p + 12, 0x0800);
	ip[0] = 0x45;
	kd_put16(ip + 2, (uint16_t)(28 + len));
	ip[8] = 64;
	ip[9] = proto;
	kd_put32(ip + 12, side == KD_INSIDE ? w->client : w->server);
	kd_put32(ip + 16, side == KD_INSIDE ? w->server : w->client);
	if (proto == KD_PROTO_UDP) {
		kd_put16(l4, side == KD_INSIDE ? w->port : 443);
		kd_put16(l4 + 2, side == KD_INSIDE ? 443 : w->port);
		kd_put16(l4 + 4, (uint16_t)(8 + len));
	} else {
		l4[0] = 8; /* an echo request, if it is ICMP */
	}
	if (len != 0)
		memcpy(l4 + 8, payload, len);
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

/* A datagram between two addresses, with `bits` set in byte `at` of the two in a row (0xff: in none). */
static inline void add_ip6_udp(struct feed *f, uint8_t at, uint8_t bits)
{
	uint8_t *p = calloc(1, 14 + 40 + 8 + 1 + 64), *ip = p + 14;

	kd_put16(p + 12, 0x86dd);
	ip[0] = 0x60;
	kd_put16(ip + 4, 9);
	ip[6] = KD_PROTO_UDP;
	ip[7] = 64;
	ip[8] = ip[24] = 0x20;
	ip[9] = ip[25] = 1;
	ip[23] = 2;
	if (at < 32)
		ip[8 + at] |= bits;
	kd_put16(ip + 40, 40000);
	kd_put16(ip + 42, 443);
	kd_put16(ip + 44, 9);
	f->block[f->n] = p;
	f->pkt[f->n] = (struct kd_pkt){
		.data = p, .len = 63, .wire_len = 63, .side = KD_INSIDE, .time_ns = T0, .number = f->n + 1};
	f->n++;
}

/* TCP payload, 1 ms after the packet before. */
static inline void say(struct feed *f, const struct who *w, unsigned int side, const void *bytes, size_t len)
{
	uint64_t at_ns = f->n == 0 ? T0 : f->pkt[f->n - 1].time_ns + MS;

	add(f, w, side, at_ns, KD_TCP_ACK | KD_TCP_PSH, side == KD_INSIDE ? 1001 : 7001, bytes, len);
}

static inline void say_text(struct feed *f, const struct who *w, unsigned int side, const char *text)
{
	say(f, w, side, text, strlen(text));
}

static inline void say_hello(struct feed *f, const struct who *w, const char *name)
{
	uint8_t hello[512];

	say(f, w, KD_INSIDE, hello, put_hello(hello, name));
}

static inline struct feed *new_feed(void)
{
	return calloc(1, sizeof(struct feed));
}

/* ---- what came of them ---- */

/* A fresh engine over the feed in one burst size; the feed goes. */
static inline void go(struct feed *f, struct result *r)
{
	struct kd_engine *e = engine(64, 4096);

	run_on(e, f, 32, 0, r);
	kd_engine_free(e);
	feed_free(f);
}

/* The line of a packet's final action: "NUMBER.0 FATE SIDE REASON RULE ...". */
static inline const char *line_of(const struct result *r, unsigned int number)
{
	char head[32];
	const char *at;

	snprintf(head, sizeof(head), "\n%u.0 ", number);
	if (strncmp(r->actions, head + 1, strlen(head + 1)) == 0)
		return r->actions;
	at = strstr(r->actions, head);
	assert_non_null(at);
	return at + 1;
}

/* "emit REASON" or "drop REASON", with the rule's number behind it if it has one. */
static inline const char *fared(const struct result *r, unsigned int number)
{
	static const char *const fates[KD_FATE_COUNT] = {"emit", "rewrite", "drop", "hold", "inject"};
	static char text[128];
	unsigned int fate, side, rule_at;
	char reason[64];

	assert_int_equal(
		sscanf(line_of(r, number), "%*u.0 %u %u %63s %u", &fate, &side, reason, &rule_at), 4);
	if (rule_at == 0)
		snprintf(text, sizeof(text), "%s %s", fates[fate], reason);
	else
		snprintf(text, sizeof(text), "%s %s %u", fates[fate], reason, rule_at);
	return text;
}

/* Verdicts of a rule for a reason. */
static inline unsigned int verdicts(const struct result *r, uint16_t of, uint16_t reason)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < r->events; i++)
		n += r->event[i].type == KD_EVENT_VERDICT && r->event[i].rule == of &&
		     r->event[i].reason == reason;
	return n;
}

/* The record of the flow that ended last. */
static inline const struct kd_event *last_flow(const struct result *r)
{
	const struct kd_event *last = NULL;

	for (unsigned int i = 0; i < r->events; i++)
		if (r->event[i].type == KD_EVENT_FLOW)
			last = &r->event[i];
	assert_non_null(last);
	return last;
}

#endif

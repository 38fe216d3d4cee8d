/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the tests of fakes share. A policy made by hand has two rules: TLS to listed.example is reset, and a
 * fake that is held against its flow has the flow dropped.
 */
#ifndef KD_TEST_FAKE_RIG_H
#define KD_TEST_FAKE_RIG_H

#include "feed.h"

#include "engine/fake.h"

enum { IN = KD_INSIDE, OUT = KD_OUTSIDE };
enum value { BELIEVE, IGNORE, PUNISH, VALUES };

#define ISN 0xffffff00u /* so that streams cross 2^32 */
#define SERVER_ISN 7000u

static const struct who one = {0xc6120002, 0xcb00710a, 40000};
static struct kd_knob knobs[4];
static uint8_t listed[512], other[512], decoy[512];
static uint32_t listed_len, other_len, decoy_len;
static struct feed *f;
static uint32_t traces;

static inline void set(unsigned int index, unsigned int value)
{
	knobs[policy.nknobs++] = (struct kd_knob){.name = kd_knob_rows[index].name,
		.index = (uint8_t)index,
		.value_index = (uint8_t)value,
		.share = UINT64_MAX};
}

/* The two rules; the fake's term holds for the kinds of `kinds`. */
static inline void rules_for(uint64_t kinds)
{
	terms[2] = (struct kd_term){
		.kind = KD_TERM_FAKE, .mask = kinds, .on_true = KD_TERM_TRUE, .on_false = KD_TERM_FALSE};
	policy.nterms = 3;
	rules[2] = (struct kd_rule){.id = "fakes",
		.phase = KD_PHASE_PROTOCOL,
		.mechanism = KD_MECHANISM_drop,
		.first_term = 2,
		.presence = UINT64_MAX,
		.residual_ns = 75 * SEC};
	policy.nrules = 2;
	lay_out_phases();
}

static inline int fresh(void **state)
{
	int rc = make_policy(state);

	policy.knobs = knobs;
	policy.nknobs = 0;
	policy.settings.stream_depth = 16000;
	policy.settings.stream_timeout_ns = 60 * SEC;
	policy.settings.fake_ttl_slack = 30;
	policy.settings.fake_near = 4096;
	policy.settings.fake_ahead = 64000;
	rules_for((1u << KD_FAKE_COUNT) - 1);
	listed_len = (uint32_t)put_hello(listed, "listed.example");
	other_len = (uint32_t)put_hello(other, "harmless.test");
	decoy_len = (uint32_t)put_hello(decoy, "harmless.test1"); /* as long as the listed one */
	traces = 64;
	f = calloc(1, sizeof(*f));
	return rc;
}

static inline int done(void **state)
{
	feed_free(f);
	return drop_policy(state);
}

/* ---- packets ---- */

/* The sum of RFC 1071 over the whole, in words as they stand. */
static uint32_t sum_of(const uint8_t *p, size_t len, uint32_t sum)
{
	for (size_t i = 0; i < len; i++)
		sum += i % 2 == 0 ? (uint32_t)p[i] << 8 : p[i];
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* Right sums for the last packet; offsets are feed.h's. */
static inline struct kd_pkt *right(void)
{
	struct kd_pkt *p = &f->pkt[f->n - 1];
	uint8_t *ip = p->data + 14, *tcp = ip + 20;
	uint16_t len = (uint16_t)(kd_get16(ip + 2) - 20);

	kd_put16(ip + 10, 0);
	kd_put16(ip + 10, (uint16_t)~sum_of(ip, 20, 0));
	kd_put16(tcp + 16, 0);
	kd_put16(tcp + 16, (uint16_t)~sum_of(tcp, len, sum_of(ip + 12, 8, KD_PROTO_TCP + (uint32_t)len)));
	return p;
}

static inline struct kd_pkt *from(
	unsigned int side, uint8_t flags, uint32_t seq, const uint8_t *payload, size_t len)
{
	add(f, &one, side, T0 + f->n * 1000000ull, flags, seq, payload, len);
	return right();
}

/* Room for options in front of the payload of the last packet. */
static inline struct kd_pkt *option(const uint8_t *bytes, size_t len)
{
	struct kd_pkt *p = &f->pkt[f->n - 1];
	uint8_t *ip = p->data + 14, *tcp = ip + 20;
	size_t total = kd_get16(ip + 2), payload = total - 40;
	uint8_t *block = calloc(1, 14 + total + len + 64 + 60);

	assert_int_equal(len % 4, 0);
	memcpy(block, p->data, 54);
	memcpy(block + 54, bytes, len);
	memcpy(block + 54 + len, tcp + 20, payload);
	free(p->data);
	f->block[f->n - 1] = p->data = block;
	kd_put16(block + 16, (uint16_t)(total + len));
	block[46] = (uint8_t)((5 + len / 4) << 4);
	p->len = p->wire_len = (uint32_t)(14 + total + len < 60 ? 60 : 14 + total + len);
	return right();
}

static inline void opened(void)
{
	from(IN, KD_TCP_SYN, ISN, NULL, 0);
	from(OUT, KD_TCP_SYN | KD_TCP_ACK, SERVER_ISN, NULL, 0);
	from(IN, KD_TCP_ACK, ISN + 1, NULL, 0);
}

static inline struct kd_pkt *says(uint32_t at, const uint8_t *payload, size_t len)
{
	return from(IN, KD_TCP_ACK | KD_TCP_PSH, ISN + 1 + at, payload, len);
}

static inline void ttl(struct kd_pkt *p, uint8_t value)
{
	p->data[22] = value;
	right();
}

static inline void id(struct kd_pkt *p, uint16_t value)
{
	kd_put16(p->data + 18, value);
	right();
}

/* ---- runs ---- */

static inline struct kd_engine *sized(void)
{
	struct kd_engine_config c = KD_ENGINE_CONFIG_DEFAULT;
	struct kd_engine *e = NULL;

	c.policy = &policy;
	c.flows4_max = 64;
	c.flows6_max = 4;
	c.events_max = 256;
	c.gathers_max = 4;
	c.traces_max = traces;
	assert_int_equal(kd_engine_new(&e, &c), 0);
	return e;
}

enum fate { PASSED, RESET, DROPPED };

/* Which rule took the flow, which must not depend on the burst; `reason` is one that some packet must have,
 * or with `!` before it none. */
static inline enum fate fate(const char *reason)
{
	struct kd_engine *e = sized();
	struct result a, b;
	enum fate got = PASSED;

	run_on(e, f, 1, 1, &a);
	kd_engine_reset(e);
	run_on(e, f, 64, 0, &b);
	assert_string_equal(a.actions, b.actions);
	for (unsigned int i = 0; i < a.events; i++)
		if (a.event[i].type == KD_EVENT_VERDICT && a.event[i].rule != 0)
			got = a.event[i].rule == 1 ? RESET : DROPPED;
	if (reason != NULL &&
		(strstr(a.actions, reason[0] == '!' ? reason + 1 : reason) != NULL) == (reason[0] == '!'))
		fail_msg("%s: not so in\n%s", reason, a.actions);
	kd_engine_free(e);
	result_free(&a);
	result_free(&b);
	feed_free(f);
	f = calloc(1, sizeof(*f));
	return got;
}

/* A decoy that `make` puts before the listed hello: believed it clears the flow, seen through the hello is
 * caught, punished the flow is dropped at once. */
static inline void as_the_knob_says(enum kd_fake kind, void (*make)(void))
{
	char reason[40];

	snprintf(reason, sizeof(reason), "fake.%s",
		kd_reason_name((uint16_t)(KD_REASON_FAKE_CHECKSUM + kind)) + 5);
	for (unsigned int value = BELIEVE; value < VALUES; value++) {
		policy.nknobs = 0;
		set(KD_KNOB_FAKE_CHECKSUM + kind, value);
		make();
		assert_int_equal(fate(value == IGNORE ? reason : NULL), value == BELIEVE  ? PASSED
									: value == IGNORE ? RESET
											  : DROPPED);
		/* Another kind is held against the flow: this one is not. */
		rules_for(KD_FAKE_BIT((kind + 1) % KD_FAKE_COUNT));
		make();
		assert_int_equal(fate(NULL), value == BELIEVE ? PASSED : RESET);
		rules_for(KD_FAKE_BIT(kind));
	}
}

/* The neighbour: whatever the knob says, it is taken for real, and clears the flow. */
static inline void never(enum kd_fake kind, void (*make)(void))
{
	for (unsigned int value = BELIEVE; value < VALUES; value++) {
		policy.nknobs = 0;
		set(KD_KNOB_FAKE_CHECKSUM + kind, value);
		make();
		assert_int_equal(fate("!fake."), PASSED);
	}
}

#endif

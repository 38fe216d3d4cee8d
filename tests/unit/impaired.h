/* SPDX-License-Identifier: BSD-3-Clause */
/* One rule on a listed name whose mechanism holds back, loses or spoils packets; its settings by their names,
 * and connections behind whose hello many packets follow. */
#ifndef KD_TEST_IMPAIRED_H
#define KD_TEST_IMPAIRED_H

#include "by_hand.h"

/* A setting of a rule, as the option table lays it out. */
static inline void set(uint16_t of, const char *name, uint64_t value)
{
	const struct kd_option *o = kd_mechanisms[rules[of].mechanism]->options;
	uint8_t byte = (uint8_t)value;
	uint32_t count = (uint32_t)value;

	while (strcmp(o->name, name) != 0)
		o++;
	if (o->kind == KD_OPTION_WORD)
		memcpy(rules[of].params + o->offset, &byte, sizeof(byte));
	else if (o->kind == KD_OPTION_COUNT)
		memcpy(rules[of].params + o->offset, &count, sizeof(count));
	else
		memcpy(rules[of].params + o->offset, &value, sizeof(value));
}

static inline uint16_t impaired_by(uint8_t mechanism)
{
	return rule((struct kd_rule){.id = "impaired",
		.phase = KD_PHASE_NAMES_BLOCKED,
		.mechanism = mechanism,
		.first_term = named(LISTED)});
}

/* so much of 2^64 */
static inline uint64_t percent(unsigned int n)
{
	return n >= 100 ? UINT64_MAX : (uint64_t)(((unsigned __int128)n << 64) / 100);
}

/* TCP of so many payload bytes: its IP packet is 40 longer. */
static inline void data_at(struct feed *f, const struct who *w, unsigned int side, uint64_t at_ns, size_t len)
{
	static const uint8_t bytes[1460];

	add(f, w, side, at_ns, KD_TCP_ACK | KD_TCP_PSH, side == KD_INSIDE ? 2001 : 7001, bytes, len);
}

static inline void hello_at(struct feed *f, const struct who *w, uint64_t at_ns)
{
	uint8_t hello[512];
	size_t len = put_hello(hello, "listed.example");

	add(f, w, KD_INSIDE, at_ns, KD_TCP_ACK | KD_TCP_PSH, 1001, hello, len);
}

/* The same packets in other bursts, and with looks at the clock: the same actions, records and counters. */
static inline void same_in_any_burst(const struct feed *f)
{
	static const unsigned int bursts[] = {1, 3, 32, KD_BURST_MAX};
	struct kd_engine *e = engine(64, 1u << 14);
	struct result first, r;

	run_on(e, f, 1, 0, &first);
	for (unsigned int i = 0; i < 4; i++) {
		for (unsigned int ticks = 0; ticks <= 3; ticks += 3) {
			kd_engine_reset(e);
			run_on(e, f, bursts[i], ticks, &r);
			assert_int_equal(r.actions_len, first.actions_len);
			assert_memory_equal(r.actions, first.actions, first.actions_len);
			assert_int_equal(r.events, first.events);
			assert_memory_equal(&r.count.fates, &first.count.fates, sizeof(r.count.fates));
			result_free(&r);
		}
	}
	result_free(&first);
	kd_engine_free(e);
}

/* How long behind its coming the final action of a packet came; that it was held before. */
static inline uint64_t held_for(const struct result *r, const struct feed *f, unsigned int number)
{
	unsigned int n, fate;
	unsigned long time_ns;
	char head[32];
	const char *at;

	snprintf(head, sizeof(head), "\n%u.1 ", number);
	at = strstr(r->actions, head);
	assert_non_null(at);
	assert_int_equal(sscanf(at + 1, "%*u.%u %u %*u %*s %*u %lu", &n, &fate, &time_ns), 3);
	assert_int_equal(n, 1);
	assert_true(fate == KD_EMIT);
	return time_ns - f->pkt[number - 1].time_ns;
}

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fakes: packets sent for the box and not for the other end. One kind for each way to make the other end
 * throw a packet away, or never get it; a knob a kind says whether the box takes it for real, sees through
 * it, or holds it against the flow.
 */
#ifndef KD_FAKE_H
#define KD_FAKE_H

#include <stdbool.h>
#include <stdint.h>

/* In the order of the knobs fake.* (knob.h) and of the reasons fake.* (reason.h). */
enum kd_fake {
	KD_FAKE_CHECKSUM,
	KD_FAKE_TTL,
	KD_FAKE_SEQUENCE,
	KD_FAKE_PAST_SEQUENCE,
	KD_FAKE_MD5,
	KD_FAKE_TIMESTAMP,
	KD_FAKE_IP_ID,
	KD_FAKE_URGENT,
	KD_FAKE_SYN_DATA,
	KD_FAKE_OVERLAP,
	KD_FAKE_LOW_TTL_END,
	KD_FAKE_NAME_LENGTH,
	KD_FAKE_COUNT
};

#define KD_FAKE_BIT(kind) ((uint16_t)(1u << (kind)))
#define KD_FAKE_WORDS                                                                                        \
	"checksum|ttl|sequence|past_sequence|md5|timestamp|ip_id|urgent|syn_data|overlap|low_ttl_end|"       \
	"name_length"

/* Those behind which something of the packet is left. */
#define KD_FAKES_IN_PART                                                                                     \
	(KD_FAKE_BIT(KD_FAKE_URGENT) | KD_FAKE_BIT(KD_FAKE_LOW_TTL_END) | KD_FAKE_BIT(KD_FAKE_NAME_LENGTH))

#define KD_OPTION_TIMESTAMPS 8 /* RFC 7323 */

/* Of e->without: more than any parser's byte budget. */
#define KD_WITHOUT_BYTES 65536

struct kd_engine;
struct kd_engine_config;
struct kd_flow;
struct kd_step;
struct kd_trace;
struct kd_trace_side;

/* Which kinds the policy asks about, and room for what they need; -EINVAL, -ENOMEM. */
int kd_fake_init(struct kd_engine *e, const struct kd_engine_config *config);
void kd_fake_free(struct kd_engine *e);
/* Gives back what is remembered of an undecided flow. */
void kd_fake_forget(struct kd_engine *e, const struct kd_flow *f);

/* The packet of an undecided flow: sets s->fakes, s->punished, s->hidden, s->cut and s->again. Only where
 * e->looks says that somebody asks. */
void kd_fake_look(struct kd_step *s);
/* The reason of a packet that is not believed: its first kind. */
uint16_t kd_fake_reason(const struct kd_step *s);
/* Takes the urgent bytes out of s->look, whose first byte has this sequence number; false: nothing is left.
 */
bool kd_fake_leave_out(struct kd_step *s, uint32_t seq);
/* How many bytes of the stream, from this sequence number on, are `n` with those left out among them. */
uint32_t kd_fake_with_urgent(const struct kd_step *s, uint32_t seq, uint32_t n);
/* A name was recognised, before any rule is asked: true when rules do not get to see it, for the first host
 * that this side named, of the same length, was believed. Else the first one (s->decoy), or the one that
 * shows that the first was a fake. */
bool kd_fake_name(struct kd_step *s);
/* A RST or FIN whose TTL says that the other end will not get it, on a box that knows such ends. */
bool kd_fake_is_low_end(struct kd_step *s);

/* Sequence number of the first payload byte. */
uint32_t kd_fake_seq(const struct kd_step *s);
/* Where in the payload the urgent byte is; -1 = there is none. */
int64_t kd_fake_urgent_at(const struct kd_step *s);

/* fake_trace.c: what is kept of the flow in hand, NULL = nothing; made for a flow that has none yet; and this
 * packet, once s->fakes is known. */
struct kd_trace *kd_fake_trace(const struct kd_step *s);
struct kd_trace *kd_fake_make_trace(struct kd_step *s);
void kd_fake_remember(struct kd_step *s, struct kd_trace_side *side);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a client could have sent instead: the hello of one flow of a capture (a TLS ClientHello or an HTTP
 * request) cut up or dressed as circumvention tools do, the later packets of the flow moved to fit. Only
 * changes that a claim of the rulebook names; whether the other end takes them is not asked.
 */
#ifndef KD_SHAPE_H
#define KD_SHAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "drivers/capture.h"
#include "engine/decode.h"
#include "engine/event.h"

/* X(symbol, words, claims); the simplest first, and cuts before what adds bytes. */
#define KD_SHAPES(X)                                                                                         \
	X(SEGMENTS, "two TCP segments, cut inside the name", "X-SEG-1")                                      \
	X(RECORDS, "two TLS records, cut inside the name", "X-SEG-3")                                        \
	X(BOTH, "two TLS records and two TCP segments, each cut inside the name", "X-SEG-3")                 \
	X(RECORD_BEFORE, "a ChangeCipherSpec record before the hello", "X-THR-2021")                         \
	X(DOT, "a dot behind the name", "X-THR-2021")                                                        \
	X(FRAGMENTS, "two IP fragments, cut inside the name", "X-FR-6")

enum kd_shape_kind {
#define X(symbol, words, claims) KD_SHAPE_##symbol,
	KD_SHAPES(X)
#undef X
		KD_SHAPE_COUNT
};

const char *kd_shape_words(unsigned int kind);
const char *kd_shape_claims(unsigned int kind);

/* One packet of the capture becomes so many at most. */
#define KD_SHAPE_PIECES 64

/* The flow, as a run over the same capture told of it: its packets are those of the tuple numbered
 * [first, until). */
struct kd_shape_flow {
	struct kd_tuple tuple;
	uint64_t first, until;
};

struct kd_shape;

int kd_shape_new(struct kd_shape **ret, const struct kd_shape_flow *flow);
void kd_shape_free(struct kd_shape *s);

/*
 * First the packets are shown in order, numbered from 1, until 0 comes back (the hello is whole and can be
 * changed) or an error: -EOPNOTSUPP, kd_shape_why says what stands against it. 1 = more.
 */
int kd_shape_show(struct kd_shape *s, const struct kd_captured *c, uint64_t number, unsigned int link);
const char *kd_shape_why(const struct kd_shape *s);

/* Then a change is chosen, as often as one likes. -EOPNOTSUPP: it has no meaning for this hello. */
int kd_shape_choose(struct kd_shape *s, enum kd_shape_kind kind);

/*
 * And the packets of the capture from the first on become those of the changed flow: `out`, good until the
 * next call; returns how many, 0 when what it carried was sent already. Other flows' packets are themselves.
 */
unsigned int kd_shape_apply(struct kd_shape *s, const struct kd_captured *c, uint64_t number,
	unsigned int link, struct kd_captured out[KD_SHAPE_PIECES]);

/* Whether the changed hello went out since it was chosen. */
bool kd_shape_done(const struct kd_shape *s);
/* By how much the numbers of packets behind the hello differ from the capture's. */
long kd_shape_added(const struct kd_shape *s);

#endif

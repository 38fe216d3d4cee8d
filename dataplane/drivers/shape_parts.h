/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the halves of shape share: the hello as gathered, the bytes a change puts in its place and where they
 * are cut. shape.c decides those, shape_frame.c puts them into frames; nobody else includes this.
 */
#ifndef KD_SHAPE_PARTS_H
#define KD_SHAPE_PARTS_H

#include "drivers/shape.h"

/* The longest hello that is changed: a TLS record's plaintext and some headers. */
#define KD_SHAPE_HELLO_MAX (16384 + 64)
#define KD_SHAPE_HEADERS_MAX 512
#define KD_SHAPE_CARRIERS_MAX 64

struct kd_shape {
	struct kd_shape_flow flow;
	const char *why;
	/* What the opener sent, from the first payload byte on. */
	uint32_t start; /* its sequence number */
	bool started;	/* start is known */
	uint8_t *bytes, *got;
	size_t have; /* without a hole */
	uint32_t mss;
	uint64_t carrier[KD_SHAPE_CARRIERS_MAX]; /* numbers of its packets */
	unsigned int ncarriers;
	/* The hello, as one piece: one TLS record, or a request as far as it came. */
	uint8_t *flat;
	size_t flat_len, hello_len; /* hello_len: of the bytes it came as */
	size_t name_at, name_len;
	bool tls;
	/* The change. */
	uint8_t *put;
	size_t put_len;
	size_t cut;	 /* a segment ends here; 0 = nowhere on purpose */
	size_t fragment; /* the segment that holds this byte goes out in two IP fragments; 0 = none */
	/* Frames for the caller. */
	uint8_t *frames;
	size_t frames_room, frames_used;
	struct kd_captured *out;
	unsigned int nout;
	long added;
	bool sent, failed;
};

/* Packets of the put bytes, in the manner of the carrier c; false: it does not fit. */
bool kd_shape_frames(struct kd_shape *s, const struct kd_captured *c, const struct kd_view *v);
/* The same packet with so much less payload at its front. */
void kd_shape_trim(struct kd_shape *s, const struct kd_captured *c, const struct kd_view *v, size_t n);
/* Moves its sequence or acknowledgement number (and SACK edges) where they lie behind the hello. */
void kd_shape_move(struct kd_shape *s, const struct kd_captured *c, const struct kd_view *v, bool opener);

#endif

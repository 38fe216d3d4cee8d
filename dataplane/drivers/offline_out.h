/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the offline driver writes: the annotated capture and the event lines. Only drivers/offline*.c include
 * this.
 */
#ifndef KD_OFFLINE_OUT_H
#define KD_OFFLINE_OUT_H

#include <stdio.h>

#include "drivers/offline.h"

struct kd_pcapng;
struct kd_offline_comment;

struct kd_offline_out {
	const struct kd_offline *o;
	struct kd_offline_result *ret;
	struct kd_pcapng *pcapng;
	FILE *events, *spool;
	char *spool_buf;
	struct kd_offline_comment *comments;
};

/* A packet as it entered the box. */
struct kd_entered {
	const uint8_t *bytes;
	uint64_t time_ns;
	uint32_t len, wire_len;
	uint8_t side, link;
};

/* The first failure of a run is the one that is told. */
void kd_offline_fail(struct kd_offline_result *ret, enum kd_offline_end end, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Failures go to ret. The calls below may follow a failed open; close must. */
void kd_offline_out_open(struct kd_offline_out *w, const struct kd_offline *o, struct kd_offline_result *ret);
/* A packet that left (EMIT, REWRITE, INJECT). */
void kd_offline_out_left(struct kd_offline_out *w, const struct kd_action *a, uint32_t wire_len);
/* With --keep: what was dropped, and the original of what was rewritten. */
void kd_offline_out_entered(struct kd_offline_out *w, const struct kd_action *a, const struct kd_entered *p);
void kd_offline_out_event(struct kd_offline_out *w, const struct kd_event *e, bool open_loop);
/* The end of the run: the run record, then every event. */
void kd_offline_out_finish(struct kd_offline_out *w);
void kd_offline_out_close(struct kd_offline_out *w);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Our own pcapng writer (libpcap writes no pcapng, DPDK 22.11's has no packet comments): SHB, one IDB per
 * (side, link type) made when first used, EPBs with nanosecond stamps, epb_flags direction and a comment.
 * Nothing that differs between two runs goes in: no clock, no host, no path.
 */
#ifndef KD_PCAPNG_H
#define KD_PCAPNG_H

#include <stddef.h>
#include <stdint.h>

#include "drivers/capture.h"
#include "engine/engine.h"

struct kd_pcapng;

/* userappl goes into the section header, e.g. "kordon 0.1.0". path "-" is standard output. -errno. */
int kd_pcapng_open(struct kd_pcapng **ret, const char *path, const char *userappl);

/*
 * One packet on interface "inside" or "outside" (enum kd_side). direction: INBOUND = it entered the box
 * there, OUTBOUND = it left. wire_len >= len. comment may be NULL. Errors stick and come out of
 * kd_pcapng_close.
 */
void kd_pcapng_write(struct kd_pcapng *w, unsigned int side, unsigned int link, enum kd_direction direction,
	uint64_t time_ns, const uint8_t *data, uint32_t len, uint32_t wire_len, const char *comment);

/* What is told of a moment, in interface statistics of the first interface. */
void kd_pcapng_note(struct kd_pcapng *w, uint64_t time_ns, const char *comment);

/* When the capture ended, which may be long after its last packet (isb_endtime). Before the close, at most
 * once. */
void kd_pcapng_end(struct kd_pcapng *w, uint64_t end_ns);

/* 0 or the first -errno of any write. Frees the writer. */
int kd_pcapng_close(struct kd_pcapng *w);

#endif

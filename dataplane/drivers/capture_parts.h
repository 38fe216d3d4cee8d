/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the halves of the capture reader share: the window of bytes they parse, and the state of an open
 * capture. Nobody but capture*.c includes this.
 */
#ifndef KD_CAPTURE_PARTS_H
#define KD_CAPTURE_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "drivers/capture.h"
#include "engine/cursor.h"

/* Blocks longer than this are taken for damage, as Wireshark does. */
#define KD_CAPTURE_BLOCK_MAX (16u * 1024 * 1024)

/* Notes between two packets. */
#define KD_CAPTURE_NOTES 16

/* The bytes of a capture from some offset on, of which `have` are in memory at `p`. */
struct kd_source {
	int fd;		  /* -1: all there is already lies at p */
	uint8_t *buf;	  /* NULL for bytes in memory */
	size_t room;	  /* at buf */
	const uint8_t *p; /* first byte not yet consumed */
	size_t have;	  /* bytes at p */
	uint64_t offset;  /* of p in the capture */
	bool eof;	  /* nothing behind p[have] */
	bool close_fd;
};

/*
 * Tries to have `want` bytes at p: 0 also when the capture ends before (then have < want), -errno when
 * reading fails. Moves p. want is at most KD_CAPTURE_BLOCK_MAX; memory grows with the bytes that came, not
 * with what was wanted.
 */
int kd_source_want(struct kd_source *s, size_t want);
/* Consumes n <= have bytes; they stay where they are until the next want. */
void kd_source_skip(struct kd_source *s, size_t n);
int kd_source_open(struct kd_source *s, const char *path);
void kd_source_close(struct kd_source *s);

/* An interface of a pcapng, with its clock. */
struct kd_capture_iface {
	char *name;
	uint32_t dlt;
	uint32_t snaplen; /* 0 = unlimited */
	uint8_t tsresol;  /* as in the file: 10^-n, or 2^-n with the top bit set */
	int64_t offset_s; /* if_tsoffset */
};

struct kd_capture {
	struct kd_source source;
	int (*next)(struct kd_capture *c, struct kd_captured *pkt);
	struct kd_capture_error error;
	bool failed, ended;
	bool little; /* byte order of the pcap, or of the pcapng's section */
	uint32_t pcap_dlt;
	uint32_t pcap_unit_ns; /* 1 or 1000 */
	bool kordon;	       /* the section's */
	char writer[4096];     /* the section's shb_userappl */
	uint64_t end_ns;       /* the latest isb_endtime */
	uint32_t first_iface;  /* of the section */
	uint32_t nifaces;      /* of the file so far */
	uint64_t last_ns;      /* of the packet before */
	struct kd_capture_note note[KD_CAPTURE_NOTES];
	unsigned int nnotes;
	struct kd_capture_iface iface[KD_CAPTURE_IFACES_MAX];
};

/* Remembers the error for this and every later call; -EINVAL. */
int kd_capture_fail(struct kd_capture *c, uint64_t offset, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* The same for a source that could not be read. */
int kd_capture_fail_read(struct kd_capture *c, int error);

/* Each reads the header that its format begins with and sets c->next. */
int kd_capture_pcap_begin(struct kd_capture *c);
int kd_capture_pcapng_begin(struct kd_capture *c);

/* Numbers in the capture's byte order. */
static inline uint16_t kd_capture_u16(const struct kd_capture *c, struct kd_cur *cur)
{
	uint16_t v = kd_cur_be16(cur);

	return c->little ? __builtin_bswap16(v) : v;
}

static inline uint32_t kd_capture_u32(const struct kd_capture *c, struct kd_cur *cur)
{
	uint32_t v = kd_cur_be32(cur);

	return c->little ? __builtin_bswap32(v) : v;
}

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads pcap (micro- and nanosecond, both byte orders) and pcapng (several sections and interfaces,
 * if_tsresol, if_tsoffset, if_name, epb_flags, EPB, SPB). Our own, because libpcap hides a pcapng packet's
 * interface and direction, which say the side, refuses files whose interfaces differ in link type, and gives
 * no offset for an error.
 *
 * The parsing half is a cursor over bytes in memory (kd_capture_open_bytes): that is what the fuzzer drives.
 */
#ifndef KD_CAPTURE_H
#define KD_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kd_capture;

#define KD_CAPTURE_IFACES_MAX 256
#define KD_CAPTURE_PACKET_MAX (256u * 1024)

enum kd_direction { KD_DIR_UNKNOWN, KD_DIR_INBOUND, KD_DIR_OUTBOUND };

struct kd_captured {
	const uint8_t *data; /* valid until the next call */
	uint32_t len, wire_len;
	uint64_t time_ns;    /* since the epoch */
	uint32_t dlt;	     /* LINKTYPE_ number of the interface */
	uint32_t iface;	     /* 0-based over the whole file; 0 in a pcap */
	const char *if_name; /* "" when unnamed; valid while the capture is open */
	uint8_t direction;   /* enum kd_direction, from epb_flags */
};

struct kd_capture_error {
	uint64_t offset;   /* of the block or record that could not be read */
	char message[200]; /* "not a capture: ...", "truncated: ...": what and why, no file name */
};

/* Opens a file ("-" is standard input). -errno of the open or read, -EINVAL when it is not a capture (err
 * says). */
int kd_capture_open(struct kd_capture **ret, const char *path, struct kd_capture_error *err);
/* The same over bytes that stay the caller's. */
int kd_capture_open_bytes(
	struct kd_capture **ret, const uint8_t *bytes, size_t len, struct kd_capture_error *err);
void kd_capture_close(struct kd_capture *c);

/* 1 = a packet, 0 = clean end of file, -EINVAL = unreadable or truncated at err->offset (all before it was
 * given). */
int kd_capture_next(struct kd_capture *c, struct kd_captured *pkt, struct kd_capture_error *err);

/* What kordon wrote beside the packets: of a moment. */
struct kd_capture_note {
	uint64_t time_ns;
	char text[160]; /* cut at that */
};

/* The first note that stands between the last packet given, or the end, and the packet before it, and was not
 * taken; false: none. */
bool kd_capture_note(struct kd_capture *c, struct kd_capture_note *ret);

/*
 * Whether kordon wrote the pcapng section being read, i.e. the one of the last packet given (before: the
 * first one): its shb_userappl starts with "kordon".
 */
bool kd_capture_is_kordon(const struct kd_capture *c);

/* The shb_userappl of the same section, cut at some length; "" when there is none. */
const char *kd_capture_writer(const struct kd_capture *c);

/* When the capture ended by its interface statistics read so far (isb_endtime as their first option, as
 * kordon writes it); 0 when they do not say. */
uint64_t kd_capture_end_ns(const struct kd_capture *c);

#endif

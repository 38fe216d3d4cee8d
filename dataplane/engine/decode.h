/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From the link header to the first payload byte. Nothing is copied: a view holds offsets into the caller's
 * bytes. Ethernet padding behind the IP datagram is never payload.
 */
#ifndef KD_DECODE_H
#define KD_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KD_TCP_FIN 0x01
#define KD_TCP_SYN 0x02
#define KD_TCP_RST 0x04
#define KD_TCP_PSH 0x08
#define KD_TCP_ACK 0x10
#define KD_TCP_URG 0x20

#define KD_PROTO_ICMP 1
#define KD_PROTO_TCP 6
#define KD_PROTO_UDP 17
#define KD_PROTO_ICMP6 58

/* Link layers deeper than this are passed unseen (QinQ on MPLS needs 5). No source gives the real box's
 * limit. */
#define KD_TAGS_MAX 8
#define KD_EXT_HEADERS_MAX 8

struct kd_view {
	uint16_t reason;    /* 0: decoded down to the transport; else why not, and nothing below l3_off may be
			       used    unless ip_version is set */
	uint8_t ip_version; /* 4, 6 or 0 */
	uint8_t ip_proto;   /* the transport after IPv6 extension headers */
	uint8_t ttl;
	uint8_t tcp_flags;
	bool mpls;     /* a label stack was crossed */
	bool fragment; /* any IP fragment, the first one too: its reason is KD_REASON_FRAG_NOT_INSPECTED */
	uint16_t l3_off, l4_off;
	uint16_t pppoe_off;		   /* offset of the PPPoE header's length field, 0 = none */
	uint16_t sport, dport;		   /* 0 for anything but TCP and UDP */
	uint32_t seq, ack;		   /* TCP */
	uint32_t payload_off, payload_len; /* of the transport; payload_len counts captured bytes only */
	uint32_t payload_wire_len; /* as the headers say: more than payload_len when the capture cut it */
	uint32_t ip_end;	   /* offset of the first byte behind the IP datagram (at most len) */
	const uint8_t *src, *dst;  /* addresses in place, 4 or 16 bytes */
};

/*
 * Decodes data[0..len) of a frame that was wire_len long; link is an enum kd_link. Always fills *v.
 * A frame that the capture cut inside its headers is KD_REASON_TRUNCATED_CAPTURE; one whose own lengths are
 * wrong has the decode.* reason. An IPv4 total length of 0 is a captured super-frame of an offloading host:
 * the frame's length counts instead.
 */
void kd_decode(struct kd_view *v, const uint8_t *data, size_t len, size_t wire_len, unsigned int link);

/* Of a packet decoded without a reason, what few ask for: the content of the first TCP option of that kind
 * that is len bytes long, kind and length included (NULL = none); the IPv4 identification (0 for IPv6); the
 * TCP urgent pointer. */
const uint8_t *kd_decode_option(const uint8_t *data, const struct kd_view *v, uint8_t kind, uint8_t len);
uint16_t kd_decode_ip_id(const uint8_t *data, const struct kd_view *v);
uint16_t kd_decode_urgent(const uint8_t *data, const struct kd_view *v);

#endif

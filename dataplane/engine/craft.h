/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames that a box forges, made from the packet that provoked them: its link stack (tags, labels, PPPoE
 * session), its addresses, its TTL; lengths and checksums right; padded to Ethernet's 60 bytes. Nothing here
 * decides to send one.
 */
#ifndef KD_CRAFT_H
#define KD_CRAFT_H

#include <stddef.h>
#include <stdint.h>

#include "engine/decode.h"
#include "engine/engine.h"

enum kd_craft_way {
	KD_CRAFT_ONWARD, /* to where the trigger was going, from where it came */
	KD_CRAFT_BACK,	 /* to the trigger's sender: addresses, ports and MACs swapped */
};

/*
 * A RST for a decoded TCP packet into buf; returns its length. Its numbers are the ones the receiver expects
 * if the trigger is delivered. -EOPNOTSUPP: back through MPLS, whose reverse labels are unknown; -EMSGSIZE:
 * room too small.
 */
int kd_craft_rst(
	uint8_t *buf, size_t room, const struct kd_pkt *t, const struct kd_view *v, enum kd_craft_way way);

/* A segment in the trigger's place (onward) or in answer to it (back), with these flags (ACK is one of them)
 * and payload; the trigger has an ACK too. Its window is the trigger's: assumed, no source tells. Errors as
 * above. */
int kd_craft_tcp(uint8_t *buf, size_t room, const struct kd_pkt *t, const struct kd_view *v,
	enum kd_craft_way way, uint8_t flags, const uint8_t *payload, size_t len);

/* A datagram in answer to a decoded UDP packet. */
int kd_craft_udp_reply(uint8_t *buf, size_t room, const struct kd_pkt *t, const struct kd_view *v,
	const uint8_t *payload, size_t len);

/* "Administratively prohibited" back to the sender, quoting the trigger's first bytes (RFC 1812 type 3 code
 * 13, RFC 4443 type 1 code 1), as if from where it was sent to: a box has no address of its own here. */
int kd_craft_unreachable(uint8_t *buf, size_t room, const struct kd_pkt *t, const struct kd_view *v);

/* Fills in the checksum of an IPv4 header of so many bytes. */
void kd_craft_sum_ip4(uint8_t *l3, size_t len);

/* Cuts a decoded TCP packet's payload off and makes it a RST/ACK, in place: same sequence, acknowledgement,
 * TTL and options. Changes p->len and p->wire_len. */
void kd_craft_cut_to_rst(struct kd_pkt *p, const struct kd_view *v);

/* Puts another address (4 or 16 bytes) in the place of `which`, v->src or v->dst, of a decoded UDP packet.
 * Its checksums stay as right, or as wrong, as they were; one that says there is none stays. */
void kd_craft_readdress(struct kd_pkt *p, const struct kd_view *v, const uint8_t *which, const uint8_t *addr);

#endif

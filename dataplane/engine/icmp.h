/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The packet that an ICMP error quotes: which flow the error is about. What that means for it is icmp.c's.
 */
#ifndef KD_ICMP_H
#define KD_ICMP_H

#include "engine/decode.h"

/*
 * The quoted packet of an ICMP or ICMPv6 error in data[0..len), which `v` is the view of: addresses, protocol
 * and ports in *ret, nothing else of it may be used. False: not an error, or it does not say so much.
 */
bool kd_icmp_quoted(struct kd_view *ret, const struct kd_view *v, const uint8_t *data, size_t len);

#endif

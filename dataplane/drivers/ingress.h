/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How a capture says that it is the ingress of a live run under one policy (and its time scale) and seed:
 * words in its section header. Only then are its packets what the endpoints sent under this very box, so that
 * its replay is closed-loop.
 */
#ifndef KD_INGRESS_H
#define KD_INGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "rulebook/policy.h"

#define KD_INGRESS_MARK 4096

/* "kordon 0.1.0 ingress policy=HASH seed=N [time_scale=N ]hops=N lab=NETS": the section's shb_userappl. Hops
 * 0 = not known. */
void kd_ingress_mark(char buf[KD_INGRESS_MARK], const struct kd_policy *policy, uint64_t seed, uint8_t hops,
	const char *lab_nets);

/* How it tells that the box was switched: "bypass on", "bypass off RULE". */
#define KD_INGRESS_SWITCH 160
void kd_ingress_switch(char buf[KD_INGRESS_SWITCH], const char *rule, bool on);
/* False: the note is no such thing, or of a rule that this policy does not have. *ret_rule 0 = the whole box.
 */
bool kd_ingress_switched(const char *note, const struct kd_policy *policy, uint16_t *ret_rule, bool *ret_on);

/* The lab's networks in a mark of this policy and seed, NULL when `writer` is no such mark. Points into
 * writer; *ret_hops is set then. */
const char *kd_ingress_lab(
	const char *writer, const struct kd_policy *policy, uint64_t seed, uint8_t *ret_hops);

/* N of a mark of this policy and seed that was made under another --time-scale N than the policy's, else 0.
 */
uint32_t kd_ingress_other_scale(const char *writer, const struct kd_policy *policy, uint64_t seed);

#endif

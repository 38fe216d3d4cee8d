/* SPDX-License-Identifier: BSD-3-Clause */
/* The lab's declared prefixes as a person writes them, made into a guard. */
#ifndef KD_LAB_NETS_H
#define KD_LAB_NETS_H

#include <stddef.h>

#include "engine/guard.h"

/*
 * nets: "198.18.0.0/15,fd00::/8". -EINVAL with a sentence in why (which piece, what is allowed): malformed,
 * host bits set, not lab space, too many, none. -ENOMEM.
 */
int kd_lab_nets(struct kd_guard **ret, const char *nets, char *why, size_t room);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* What replay and explain share: options of the offline driver, read the same way. */
#ifndef KD_CMD_REPLAY_H
#define KD_CMD_REPLAY_H

#include "cmd/cmd.h"
#include "drivers/offline.h"

/* auto, trust or verify; NULL leaves *ret alone. 0 or KD_EXIT_USAGE. */
int kd_replay_checksums(const struct kd_args *args, const char *word, enum kd_checksums *ret);

/* --hops; NULL leaves *ret alone. */
int kd_replay_hops(const struct kd_args *args, const char *word, struct kd_endpoint *ret);
#define KD_REPLAY_HOPS "routers from the box to the servers, for blind spots (8 in a lab; default: not known)"

extern const struct kd_command kd_command_replay, kd_command_explain;

#endif

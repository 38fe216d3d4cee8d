/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How a verb talks to a live run: one line over its socket, one document back.
 */
#ifndef KD_DIAL_H
#define KD_DIAL_H

#include <stddef.h>
#include <sys/types.h>

#include "cmd/cmd.h"

/* The socket that the only operand or KORDON_STATS names; NULL: neither does, which was said. */
const char *kd_dial_path(const struct kd_args *args);
/* The answer to `request` as a string; its length, or -1 with errno. */
ssize_t kd_dial(const char *path, const char *request, char *text, size_t room);
/* Says why there is no answer; an exit code. */
int kd_dial_failed(const char *path, ssize_t len);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What would have decided otherwise: a capture run again with each attested value of each knob, one at a
 * time, and, for flows that suffered, with each change a client could have made. Two answers that are kept
 * apart.
 */
#ifndef KD_CMD_WHAT_IF_H
#define KD_CMD_WHAT_IF_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "cmd/cmd.h"
#include "drivers/offline.h"
#include "report/explain.h"

struct kd_what_if;

struct kd_what_if_config {
	const struct kd_args *args;
	const struct kd_offline *offline; /* the run that was made: its policy, input and sides */
	const struct kd_explain *told;	  /* what came of it */
	uint64_t packets;		  /* in it */
	bool always;			  /* however long it takes */
};

/* 0, or an exit code after a complaint. *ret is NULL when there is nothing to try or it was left out, which
 * is said. */
int kd_what_if_try(struct kd_what_if **ret, const struct kd_what_if_config *config);
void kd_what_if_free(struct kd_what_if *w);

/* The answers for one flow; user is the struct kd_what_if. */
void kd_what_if_print(void *user, FILE *to, const struct kd_explain_flow *flow);

#endif

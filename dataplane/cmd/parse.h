/* SPDX-License-Identifier: BSD-3-Clause */
/* Between main.c and cmd.c only: parsing a verb's words and printing its help. */
#ifndef KD_CMD_PARSE_H
#define KD_CMD_PARSE_H

#include "cmd/cmd.h"

/* argv[0] is the verb. 0 = run it; -1 = help or version was printed, all is well; else an exit code, already
 * complained about. */
int kd_args_parse(struct kd_args *args, const struct kd_command *command, int argc, char **argv);
void kd_command_help(const struct kd_command *command);
void kd_print_version(void);

#endif

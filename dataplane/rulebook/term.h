/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Name terms: what may stand where a rule lists host names. `example.com` = itself and all below,
 * `^example.com` = itself only, `*.example.com` = below only; anything else with * or ? is a glob, `/.../` a
 * regex, both over the whole name. `@list` stands for DIR/lists/list.txt, one name a line, # for comments.
 */
#ifndef KD_TERM_H
#define KD_TERM_H

#include "rulebook/schema.h"

/* One name without @. 0, -EINVAL with *fault filled, -ENOMEM. */
int kd_term_parse(
	struct kd_name *ret, struct kd_arena *arena, const char *text, size_t len, struct kd_fault *fault);

/* The names of a term, lists unfolded, sorted, doubles gone. Problems become diagnostics. */
void kd_term_read(struct kd_book *book, const config_setting_t *setting, struct kd_name_list *ret);

bool kd_term_same(const struct kd_name_list *a, const struct kd_name_list *b);

#endif

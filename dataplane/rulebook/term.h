/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Name terms: what may stand where a rule lists host names. `example.com` = itself and all below,
 * `^example.com` = itself only, `*.example.com` = below only; anything else with * or ? is a glob, `/.../` a
 * regex, both over the whole name. `@list` stands for a list of names (list.h). What is not ASCII is
 * converted to its punycode form, and that is said.
 */
#ifndef KD_TERM_H
#define KD_TERM_H

#include "rulebook/schema.h"

/* One name without @. 0, -EINVAL with *fault filled, -ENOMEM. */
int kd_term_parse(
	struct kd_name *ret, struct kd_arena *arena, const char *text, size_t len, struct kd_fault *fault);
/* The same without a copy: ret points into `text`, which is lowered in place; text[len] is 0. */
int kd_term_parse_kept(
	struct kd_name *ret, struct kd_arena *arena, char *text, size_t len, struct kd_fault *fault);
/* Whether a regex compiles; true of everything else. 0, -EINVAL with *fault filled, -ENOMEM. */
int kd_term_try(const struct kd_name *name, struct kd_fault *fault);

struct kd_name_term; /* when.h */
struct kd_address_term;

/* A name term of a rule: its own names sorted, doubles gone, and its lists. Problems become diagnostics. */
void kd_term_read(struct kd_book *book, const config_setting_t *setting, struct kd_name_term *ret);
/* An address term: tags and literal prefixes. */
void kd_address_read(struct kd_book *book, const config_setting_t *setting, struct kd_address_term *ret);

#endif

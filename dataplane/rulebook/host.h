/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Host names as text: what may stand in one, and the ASCII form of one that is written in other letters.
 */
#ifndef KD_HOST_H
#define KD_HOST_H

#include <stdbool.h>
#include <stddef.h>

#include "rulebook/fault.h"

#define KD_HOST_MAX 253 /* RFC 1035 2.3.4, as text without the root's dot */

/* What stands in a text, or-ed. */
#define KD_HOST_NAME 0x01  /* letters, digits, - and _ */
#define KD_HOST_UPPER 0x02 /* A-Z */
#define KD_HOST_DOT 0x04
#define KD_HOST_WILD 0x08  /* * and ? */
#define KD_HOST_OTHER 0x10 /* bytes from 0x80 */
#define KD_HOST_BAD 0x20   /* what no host name has */

unsigned int kd_host_holds(const char *at, size_t len);

/* 0, or -EINVAL with *fault about `text`, which it is a part of. `glob`: * and ? may stand in it, and labels
 * may be empty. */
int kd_host_check(const char *at, size_t len, bool glob, const char *text, struct kd_fault *fault);

/* The form that names take on the wire (IDNA2008 with the mapping of UTS 46, nontransitional), lower case,
 * with its NUL. 0, -EINVAL with *fault about `text`, -ENOMEM. */
int kd_host_ascii(char ret[KD_HOST_MAX + 1], const char *host, const char *text, struct kd_fault *fault);

#endif

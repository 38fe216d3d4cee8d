/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is wrong with one text (a number, a date, a name) in words, without yet knowing where the text stood.
 * The caller, who knows the place, turns it into a diagnostic.
 */
#ifndef KD_FAULT_H
#define KD_FAULT_H

struct kd_fault {
	char message[256];
	char hint[320]; /* "" = none */
};

/* Fills both and returns -EINVAL. hint may be NULL. */
int kd_fault(struct kd_fault *f, const char *hint, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif

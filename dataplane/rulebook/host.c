/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Says what is wrong with a host name, and has libidn2 convert one. It asks for no more than resolvers do:
 * underscores pass, and a name in ASCII is taken as it is, also one that begins with xn--.
 */
#include "rulebook/host.h"

#include <errno.h>
#include <idn2.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define LABEL_MAX 63
#define TEXT_MAX 1024 /* no name of 253 bytes is longer than that in any script */

/* 0: what no host name has. */
static const uint8_t holds[256] = {
	['a' ... 'z'] = KD_HOST_NAME,
	['0' ... '9'] = KD_HOST_NAME,
	['-'] = KD_HOST_NAME,
	['_'] = KD_HOST_NAME,
	['A' ... 'Z'] = KD_HOST_UPPER,
	['.'] = KD_HOST_DOT,
	['*'] = KD_HOST_WILD,
	['?'] = KD_HOST_WILD,
	[0x80 ... 0xff] = KD_HOST_OTHER,
};

unsigned int kd_host_holds(const char *at, size_t len)
{
	unsigned int all = 0;

	for (size_t i = 0; i < len; i++)
		all |= holds[(uint8_t)at[i]] != 0 ? holds[(uint8_t)at[i]] : KD_HOST_BAD;
	return all;
}

static int bad(struct kd_fault *fault, const char *hint, const char *text)
{
	return kd_fault(fault, hint, "\"%.80s\" is not a host name", text);
}

static int bad_char(struct kd_fault *fault, char c, const char *text)
{
	char hint[80];

	if (c > 0x20 && c < 0x7f)
		snprintf(hint, sizeof(hint), "'%c' cannot stand in one", c);
	else
		snprintf(hint, sizeof(hint), "a space or control character cannot stand in one");
	return bad(fault, hint, text);
}

int kd_host_check(const char *at, size_t len, bool glob, const char *text, struct kd_fault *fault)
{
	const unsigned int good = KD_HOST_NAME | KD_HOST_UPPER | (glob ? KD_HOST_WILD : 0);
	size_t label = 0;

	if (len == 0)
		return bad(fault, "it is empty", text);
	/* As lists have it for "none". */
	if (len == 1 && at[0] == '-')
		return bad(fault, "it is only a hyphen", text);
	if (len > KD_HOST_MAX)
		return bad(fault, "it is longer than 253 characters", text);
	for (size_t i = 0; i <= len; i++) {
		if (i == len || at[i] == '.') {
			if (label == 0 && !glob)
				return bad(fault, "it has an empty label", text);
			label = 0;
			continue;
		}
		if ((holds[(uint8_t)at[i]] & good) == 0)
			return bad_char(fault, at[i], text);
		if (++label > LABEL_MAX)
			return bad(fault, "it has a label of more than 63 characters", text);
	}
	return 0;
}

int kd_host_ascii(char ret[KD_HOST_MAX + 1], const char *host, const char *text, struct kd_fault *fault)
{
	uint8_t *ascii = NULL;
	size_t len;
	int rc;

	if (strlen(host) > TEXT_MAX)
		return bad(fault, "it is longer than 253 characters", text);
	rc = idn2_lookup_u8((const uint8_t *)host, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
	if (rc == IDN2_MALLOC)
		return -ENOMEM;
	if (rc != IDN2_OK)
		return bad(fault, idn2_strerror(rc), text);
	len = strlen((const char *)ascii);
	rc = kd_host_check((const char *)ascii, len, false, text, fault);
	for (size_t i = 0; rc == 0 && i <= len; i++) {
		char c = (char)ascii[i];

		ret[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
	}
	idn2_free(ascii);
	return rc;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Prefixes as text: CIDR, single addresses and ranges. inet_pton decides what an address is, so there are no
 * octal numbers and no missing bytes.
 */
#include "rulebook/list.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

typedef unsigned __int128 bits128;

static unsigned int width_of(const struct kd_prefix *p)
{
	return p->v6 ? 128 : 32;
}

static int shown(size_t len)
{
	return len < 80 ? (int)len : 80;
}

static int no_prefix(struct kd_fault *fault, const char *text, size_t len)
{
	return kd_fault(fault, "expected e.g. 192.0.2.0/24, 192.0.2.1 or 2001:db8::/32",
		"\"%.*s\" is not an address or prefix", shown(len), text);
}

/* An address alone, all its bits. */
static bool address(struct kd_prefix *ret, const char *text, size_t len)
{
	struct kd_prefix p = {.v6 = len > 0 && memchr(text, ':', len) != NULL};
	char copy[INET6_ADDRSTRLEN];

	if (len >= sizeof(copy))
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	p.bits = (uint8_t)width_of(&p);
	if (strlen(copy) != len || inet_pton(p.v6 ? AF_INET6 : AF_INET, copy, p.addr) != 1)
		return false;
	*ret = p;
	return true;
}

/* Decimal, no sign and no leading zero; -1 when it is not that. */
static int small_number(const char *text, size_t len)
{
	int n = 0;

	if (len == 0 || len > 3 || (len > 1 && text[0] == '0'))
		return -1;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -1;
		n = n * 10 + (text[i] - '0');
	}
	return n;
}

/* Clears what stands behind the length; whether there was anything. */
static bool clear_rest(struct kd_prefix *p)
{
	bool any = false;

	for (unsigned int i = p->bits / 8; i < width_of(p) / 8; i++) {
		uint8_t keep = (uint8_t)(i == p->bits / 8 ? 0xff00 >> p->bits % 8 : 0);

		any = any || (p->addr[i] & ~keep) != 0;
		p->addr[i] &= keep;
	}
	return any;
}

int kd_prefix_parse(struct kd_prefix *ret, const char *text, size_t len, bool lenient, struct kd_fault *fault)
{
	const char *slash = len > 0 ? memchr(text, '/', len) : NULL;
	size_t host = slash != NULL ? (size_t)(slash - text) : len;
	char right[KD_PREFIX_TEXT], hint[KD_PREFIX_TEXT + 16];
	struct kd_prefix p;
	int bits;

	if (!address(&p, text, host))
		return no_prefix(fault, text, len);
	if (slash != NULL) {
		bits = small_number(slash + 1, len - host - 1);
		if (bits < 0)
			return no_prefix(fault, text, len);
		if ((unsigned int)bits > width_of(&p))
			return kd_fault(fault, p.v6 ? "IPv6 has 128" : "IPv4 has 32",
				"\"%.*s\" is longer than an address", shown(len), text);
		p.bits = (uint8_t)bits;
	}
	if (clear_rest(&p) && !lenient) {
		kd_prefix_text(right, &p);
		snprintf(hint, sizeof(hint), "write \"%s\"", right);
		return kd_fault(fault, hint, "\"%.*s\" has bits behind its prefix length", shown(len), text);
	}
	*ret = p;
	return 0;
}

static bits128 number_of(const struct kd_prefix *p)
{
	bits128 n = 0;

	for (unsigned int i = 0; i < width_of(p) / 8; i++)
		n = n << 8 | p->addr[i];
	return n;
}

static struct kd_prefix prefix_of(bits128 first, unsigned int bits, bool v6)
{
	struct kd_prefix p = {.bits = (uint8_t)bits, .v6 = v6};

	for (unsigned int i = width_of(&p) / 8; i-- > 0; first >>= 8)
		p.addr[i] = (uint8_t)first;
	return p;
}

static bool blank(char c)
{
	return c == ' ' || c == '\t';
}

int kd_prefix_range(
	struct kd_prefix ret[KD_RANGE_PREFIXES], const char *text, size_t len, struct kd_fault *fault)
{
	const char *dash = len > 0 ? memchr(text, '-', len) : NULL, *b;
	size_t a_len = dash != NULL ? (size_t)(dash - text) : 0;
	struct kd_prefix first, last;
	bits128 at, end;
	int n = 0;

	b = dash != NULL ? dash + 1 : text;
	while (a_len > 0 && blank(text[a_len - 1]))
		a_len--;
	while (b < text + len && blank(*b))
		b++;
	if (dash == NULL || !address(&first, text, a_len) || !address(&last, b, (size_t)(text + len - b)) ||
		first.v6 != last.v6)
		return kd_fault(fault, "expected e.g. 192.0.2.1-192.0.2.9", "\"%.*s\" is not a range",
			shown(len), text);
	at = number_of(&first);
	end = number_of(&last);
	if (at > end)
		return kd_fault(
			fault, "the lower address comes first", "\"%.*s\" is not a range", shown(len), text);
	for (;;) {
		unsigned int bits = width_of(&first);
		bits128 rest = 0; /* of the block at `at`: all bits behind its length */

		while (bits > 0 && (at & (rest << 1 | 1)) == 0 && end - at >= (rest << 1 | 1)) {
			rest = rest << 1 | 1;
			bits--;
		}
		ret[n++] = prefix_of(at, bits, first.v6);
		if (end - at == rest)
			return n;
		at += rest + 1;
	}
}

void kd_prefix_text(char buf[KD_PREFIX_TEXT], const struct kd_prefix *prefix)
{
	char host[INET6_ADDRSTRLEN];

	if (inet_ntop(prefix->v6 ? AF_INET6 : AF_INET, prefix->addr, host, sizeof(host)) == NULL)
		host[0] = '\0'; /* cannot be: host has room for any */
	snprintf(buf, KD_PREFIX_TEXT, "%s/%u", host, prefix->bits);
}

int kd_prefix_order(const struct kd_prefix *a, const struct kd_prefix *b)
{
	int c;

	if (a->v6 != b->v6)
		return a->v6 ? 1 : -1;
	c = memcmp(a->addr, b->addr, sizeof(a->addr));
	return c != 0 ? c : (int)a->bits - (int)b->bits;
}

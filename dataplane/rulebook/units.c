/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A number is read as an integer and a count of decimals, so that "0.1 s" is 100000000 ns and nothing else;
 * what a unit cannot express exactly is an error. Which numbers a rule may hold is the schema's business.
 */
#include "rulebook/units.h"

#include "engine/cursor.h"
#include "rulebook/diag.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIGITS_MAX 18

typedef unsigned __int128 kd_u128;

struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit durations[] = {{"ns", 1}, {"us", 1000}, {"ms", 1000000}, {"s", 1000000000},
	{"min", 60000000000}, {"h", 3600000000000}, {"d", 86400000000000}, {NULL, 0}};
static const struct unit shares[] = {{"%", 1}, {NULL, 0}};
static const struct unit counts[] = {{"pkt", 1}, {NULL, 0}};
/* Decimal, as the sources count ("16 KB"); KB is read, kB is written. */
static const struct unit sizes[] = {{"B", 1}, {"KB", 1000}, {"kB", 1000}, {"MB", 1000000}, {NULL, 0}};
static const struct unit rates[] = {{"bit/s", 1}, {"kbit/s", 1000}, {"Mbit/s", 1000000},
	{"Gbit/s", 1000000000}, {"B/s", 8}, {"kB/s", 8000}, {NULL, 0}};
/* Sources write "650 B/s" too; that is read, and bits are written. */
#define RATES_WRITTEN 4

static const struct kind {
	const char *noun;   /* "is not a ..." */
	const char *wanted; /* hint */
	const char *words;
	const struct unit *units;
	const char *finest;
	uint64_t max;
	const char *max_text;
} kinds[KD_UNIT_KINDS] = {
	[KD_UNIT_DURATION] = {"a duration", "expected a number and one of ns, us, ms, s, min, h, d",
		"ns|us|ms|s|min|h|d", durations, "1 ns", 3650 * 86400000000000ull, "3650 d"},
	[KD_UNIT_SHARE] = {"a share", "expected a number and %", "%", shares, "", UINT64_MAX, "100 %"},
	[KD_UNIT_COUNT] = {"a count", "expected a whole number, with pkt or nothing behind it", "pkt", counts,
		"1 pkt", UINT32_MAX, "4294967295"},
	[KD_UNIT_BYTES] = {"a size", "expected a number and one of B, kB, MB (decimal)", "B|kB|MB", sizes,
		"1 B", 1000000000000ull, "1000000 MB"},
	[KD_UNIT_RATE] = {"a rate", "expected a number and one of bit/s, kbit/s, Mbit/s, Gbit/s, B/s, kB/s",
		"bit/s|kbit/s|Mbit/s|Gbit/s|B/s|kB/s", rates, "1 bit/s", 1000000000000ull, "1000 Gbit/s"},
};

/* A number as written: mantissa / 10^scale, and where it stood. */
struct decimal {
	uint64_t mantissa;
	unsigned int scale;
	const uint8_t *at;
	size_t len;
};

static uint64_t pow10_of(unsigned int n)
{
	uint64_t p = 1;

	while (n-- > 0)
		p *= 10;
	return p;
}

static int peek(const struct kd_cur *c, size_t ahead)
{
	return kd_cur_left(c) > ahead ? c->p[ahead] : -1;
}

static bool digit(int c)
{
	return c >= '0' && c <= '9';
}

static void spaces(struct kd_cur *c)
{
	while (peek(c, 0) == ' ')
		kd_cur_skip(c, 1);
}

static bool eat(struct kd_cur *c, char what)
{
	if (peek(c, 0) != what)
		return false;
	kd_cur_skip(c, 1);
	return true;
}

/* -EINVAL: no number here; -ERANGE: too many digits. */
static int decimal(struct kd_cur *c, struct decimal *ret)
{
	struct decimal d = {.at = c->p};
	unsigned int digits = 0;
	bool fraction = false;

	if (!digit(peek(c, 0)))
		return -EINVAL;
	for (;;) {
		if (digit(peek(c, 0))) {
			d.mantissa = d.mantissa * 10 + (unsigned int)(kd_cur_u8(c) - '0');
			digits += d.mantissa != 0;
			d.scale += fraction;
			if (digits > DIGITS_MAX || d.scale > DIGITS_MAX)
				return -ERANGE;
		} else if (!fraction && peek(c, 0) == '.' && digit(peek(c, 1))) {
			fraction = true;
			kd_cur_skip(c, 1);
		} else {
			break;
		}
	}
	d.len = (size_t)(c->p - d.at);
	*ret = d;
	return 0;
}

/* The word behind a number; empty when there is none. */
static const uint8_t *unit_word(struct kd_cur *c, size_t *ret_len)
{
	const uint8_t *at;
	int b;

	spaces(c);
	at = c->p;
	while ((b = peek(c, 0)) >= 0 && b != ' ' && b != '(' && b != ')' && b != '.')
		kd_cur_skip(c, 1);
	*ret_len = (size_t)(c->p - at);
	return at;
}

static const struct unit *unit_find(unsigned int kind, const uint8_t *word, size_t len)
{
	for (const struct unit *u = kinds[kind].units; u->name != NULL; u++)
		if (strlen(u->name) == len && memcmp(u->name, word, len) == 0)
			return u;
	return NULL;
}

/* -EDOM: not exact; -ERANGE: over the limit. */
static int scaled(uint64_t *ret, unsigned int kind, const struct decimal *d, const struct unit *u)
{
	kd_u128 v = d->mantissa;
	uint64_t down = pow10_of(d->scale);

	if (kind == KD_UNIT_SHARE) {
		kd_u128 whole = (kd_u128)down * 100;

		if (v > whole)
			return -ERANGE;
		*ret = v == whole ? UINT64_MAX : (uint64_t)((v << 64) / whole);
		return 0;
	}
	v *= u->factor;
	if (v / down > kinds[kind].max || (v / down == kinds[kind].max && v % down != 0))
		return -ERANGE;
	if (v % down != 0)
		return -EDOM;
	*ret = (uint64_t)(v / down);
	return 0;
}

static int shown(size_t len)
{
	return len < 80 ? (int)len : 80;
}

static int not_one(unsigned int kind, const struct kd_cur *whole, const struct decimal *d,
	const uint8_t *word, size_t word_len, struct kd_fault *fault)
{
	const struct kind *k = &kinds[kind];
	size_t len = kd_cur_left(whole);
	char hint[sizeof(fault->hint)], typed[32];
	char *near = NULL;

	if (word_len > 0 && word_len < sizeof(typed)) {
		memcpy(typed, word, word_len);
		typed[word_len] = '\0';
		near = kd_did_you_mean(typed, k->words);
	}
	if (near != NULL)
		snprintf(hint, sizeof(hint), "%s - did you mean \"%.*s %s\"?", k->wanted, shown(d->len),
			(const char *)d->at, near);
	else
		snprintf(hint, sizeof(hint), "%s", k->wanted);
	free(near);
	return kd_fault(fault, hint, "\"%.*s\" is not %s", shown(len), (const char *)whole->p, k->noun);
}

/* One number with its unit; `u` holds the unit to take when none is written, and gets the one found. */
static int quantity(struct kd_cur *c, unsigned int kind, const struct kd_cur *whole, const struct unit **u,
	uint64_t *ret, struct kd_fault *fault)
{
	const struct kind *k = &kinds[kind];
	const struct unit *found = *u;
	const uint8_t *word = NULL;
	struct decimal d = {0};
	size_t word_len = 0;
	int rc;

	rc = decimal(c, &d);
	if (rc == -ERANGE)
		return kd_fault(fault, "at most 18 digits can be kept exactly",
			"\"%.*s\" has too many digits", shown(kd_cur_left(whole)), (const char *)whole->p);
	if (rc < 0)
		return not_one(kind, whole, &d, word, word_len, fault);
	word = unit_word(c, &word_len);
	if (word_len > 0)
		found = unit_find(kind, word, word_len);
	if (found == NULL)
		return not_one(kind, whole, &d, word, word_len, fault);
	rc = scaled(ret, kind, &d, found);
	if (rc == -EDOM)
		return kd_fault(fault, NULL, "\"%.*s\" is finer than %s", shown(kd_cur_left(whole)),
			(const char *)whole->p, k->finest);
	if (rc < 0)
		return kd_fault(fault, NULL, "\"%.*s\" is more than %s", shown(kd_cur_left(whole)),
			(const char *)whole->p, k->max_text);
	*u = found;
	return 0;
}

static int range(struct kd_cur *c, unsigned int kind, const struct kd_cur *whole, const struct unit *u,
	struct kd_number *n, struct kd_fault *fault)
{
	const struct unit *lo = u, *hi = u;
	int rc;

	spaces(c);
	rc = quantity(c, kind, whole, &lo, &n->lo, fault);
	if (rc < 0)
		return rc;
	spaces(c);
	if (!eat(c, '.') || !eat(c, '.'))
		goto shape;
	spaces(c);
	rc = quantity(c, kind, whole, &hi, &n->hi, fault);
	if (rc < 0)
		return rc;
	spaces(c);
	if (!eat(c, ')'))
		goto shape;
	n->ranged = true;
	return 0;
shape:
	return kd_fault(fault, "expected VALUE UNIT (LO..HI), as in \"10 min (5..15)\"",
		"\"%.*s\" has no proper range", shown(kd_cur_left(whole)), (const char *)whole->p);
}

int kd_units_parse(
	struct kd_number *ret, unsigned int kind, const char *text, size_t len, struct kd_fault *fault)
{
	struct kd_cur whole = kd_cur((const uint8_t *)text, len), c = whole;
	/* A count needs no unit; everything else does. */
	const struct unit *u = kind == KD_UNIT_COUNT ? &counts[0] : NULL;
	struct kd_number n = {0};
	int rc;

	spaces(&c);
	rc = quantity(&c, kind, &whole, &u, &n.value, fault);
	if (rc < 0)
		return rc;
	n.lo = n.hi = n.value;
	spaces(&c);
	if (eat(&c, '(')) {
		rc = range(&c, kind, &whole, u, &n, fault);
		if (rc < 0)
			return rc;
	}
	spaces(&c);
	if (kd_cur_left(&c) > 0)
		return kd_fault(fault, "expected VALUE UNIT (LO..HI)",
			"\"%.*s\" has something behind its end", shown(len), text);
	if (n.lo > n.hi)
		return kd_fault(fault, NULL, "\"%.*s\" has its range upside down", shown(len), text);
	if (n.value < n.lo || n.value > n.hi)
		return kd_fault(fault, NULL, "\"%.*s\" lies outside its own range", shown(len), text);
	*ret = n;
	return 0;
}

void kd_units_text(char buf[KD_UNITS_TEXT], unsigned int kind, uint64_t value)
{
	const struct unit *best = kinds[kind].units;

	if (kind == KD_UNIT_SHARE) {
		/* 100 % = 10^8 millionths of a percent. */
		uint64_t millionths = (uint64_t)(((kd_u128)value * 100000000 + (1ull << 63)) >> 64);
		uint64_t fraction = millionths % 1000000;
		int width = 6;

		while (width > 1 && fraction % 10 == 0) {
			fraction /= 10;
			width--;
		}
		if (fraction == 0)
			snprintf(buf, KD_UNITS_TEXT, "%" PRIu64 " %%", millionths / 1000000);
		else
			snprintf(buf, KD_UNITS_TEXT, "%" PRIu64 ".%0*" PRIu64 " %%", millionths / 1000000,
				width, fraction);
		return;
	}
	for (const struct unit *u = best; u->name != NULL && u != &rates[RATES_WRITTEN] && value != 0; u++)
		if (value % u->factor == 0 && u->factor >= best->factor)
			best = u;
	snprintf(buf, KD_UNITS_TEXT, "%" PRIu64 " %s", value / best->factor, best->name);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Decides what one value of a term means as spans of numbers or a run of bytes. Units are those of units.c; a
 * value that can never be met (port 0, the packet before the first, no time at all) is refused, because it
 * was not meant.
 */
#include "rulebook/when_values.h"

#include "engine/cursor.h"
#include "rulebook/units.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OFFSET_MAX 65535 /* of an IP packet */
#define DAY_MINUTES (24 * 60)

struct text {
	const char *p;
	size_t len;
};

static int shown(size_t len)
{
	return len < 80 ? (int)len : 80;
}

static int refuse(struct kd_fault *fault, const char *noun, const char *hint, const char *text, size_t len)
{
	return kd_fault(fault, hint, "\"%.*s\" is not %s", shown(len), text, noun);
}

static int upside_down(struct kd_fault *fault, const char *text, size_t len)
{
	return kd_fault(fault, NULL, "\"%.*s\" has its range upside down", shown(len), text);
}

static int peek(const struct kd_cur *c)
{
	return kd_cur_left(c) > 0 ? c->p[0] : -1;
}

static void spaces(struct kd_cur *c)
{
	while (peek(c) == ' ')
		kd_cur_skip(c, 1);
}

static bool eat(struct kd_cur *c, char what)
{
	if (peek(c) != what)
		return false;
	kd_cur_skip(c, 1);
	return true;
}

/* 0 to 15, or -1. */
static int nibble(int c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Decimal, or hex behind 0x, with blanks around it; false when there is none or it is over max. */
static bool number(struct kd_cur *c, uint64_t max, uint64_t *ret)
{
	unsigned int base = 10, digits = 0;
	uint64_t v = 0;
	int d;

	spaces(c);
	if (kd_cur_left(c) > 2 && c->p[0] == '0' && (c->p[1] == 'x' || c->p[1] == 'X')) {
		base = 16;
		kd_cur_skip(c, 2);
	}
	while ((d = nibble(peek(c))) >= 0 && (unsigned int)d < base) {
		v = v * base + (unsigned int)d;
		if (v > max)
			return false;
		digits++;
		kd_cur_skip(c, 1);
	}
	spaces(c);
	*ret = v;
	return digits > 0;
}

/* Both sides of "..", blanks gone; hi is lo when there is no "..". False when a side is empty. */
static bool sides(const char *text, size_t len, struct text *lo, struct text *hi)
{
	struct text part[2] = {{text, len}, {text, len}};

	for (size_t i = 0; i + 1 < len; i++) {
		if (text[i] != '.' || text[i + 1] != '.')
			continue;
		part[0].len = i;
		part[1] = (struct text){text + i + 2, len - i - 2};
		break;
	}
	for (unsigned int i = 0; i < 2; i++) {
		while (part[i].len > 0 && part[i].p[0] == ' ')
			part[i] = (struct text){part[i].p + 1, part[i].len - 1};
		while (part[i].len > 0 && part[i].p[part[i].len - 1] == ' ')
			part[i].len--;
	}
	*lo = part[0];
	*hi = part[1];
	return part[0].len > 0 && part[1].len > 0;
}

int kd_value_port(struct kd_span ret[KD_VALUE_SPANS], const char *words, const char *text, size_t len,
	struct kd_fault *fault)
{
	struct kd_cur c = kd_cur((const uint8_t *)text, len);
	struct kd_span s = {0};
	bool ok = number(&c, 65535, &s.lo);

	(void)words;
	s.hi = s.lo;
	if (ok && eat(&c, '-'))
		ok = number(&c, 65535, &s.hi);
	if (!ok || kd_cur_left(&c) > 0 || s.lo == 0)
		return refuse(fault, "a port", "expected 1 to 65535, or two of them as in \"50000-50100\"",
			text, len);
	if (s.lo > s.hi)
		return upside_down(fault, text, len);
	ret[0] = s;
	return 1;
}

#define LENGTHS "expected \"148 B\", \">= 100 B\" or \"100 B..200 B\""

/* A number of units.c that no sampled box draws. */
static int exact(uint64_t *ret, unsigned int kind, struct text t, struct kd_fault *fault)
{
	struct kd_number n;
	int rc = kd_units_parse(&n, kind, t.p, t.len, fault);

	/* What it could be is more than a size. */
	if (rc < 0 && kind == KD_UNIT_BYTES && fault->hint[0] != '\0')
		return refuse(fault, "a length", LENGTHS, t.p, t.len);
	if (rc < 0)
		return rc;
	if (n.ranged)
		return kd_fault(fault, "LO..HI without brackets takes all of them",
			"\"%.*s\": nothing is drawn here", shown(t.len), t.p);
	*ret = n.value;
	return 0;
}

static int from_to(
	struct kd_span *ret, unsigned int kind, const char *text, size_t len, struct kd_fault *fault)
{
	struct text lo, hi;
	struct kd_span s;
	int rc;

	if (!sides(text, len, &lo, &hi))
		return kd_fault(fault, kind == KD_UNIT_BYTES ? LENGTHS : "expected LO..HI",
			"\"%.*s\" has no proper range", shown(len), text);
	rc = exact(&s.lo, kind, lo, fault);
	if (rc == 0)
		rc = exact(&s.hi, kind, hi, fault);
	if (rc < 0)
		return rc;
	if (s.lo > s.hi)
		return upside_down(fault, text, len);
	*ret = s;
	return 0;
}

int kd_value_length(struct kd_span ret[KD_VALUE_SPANS], const char *words, const char *text, size_t len,
	struct kd_fault *fault)
{
	struct kd_cur c = kd_cur((const uint8_t *)text, len);
	struct kd_span s = {.lo = 0, .hi = UINT64_MAX};
	bool least, most, same;
	uint64_t v;
	int rc;

	(void)words;
	spaces(&c);
	least = eat(&c, '>');
	most = !least && eat(&c, '<');
	if (!least && !most) {
		rc = from_to(ret, KD_UNIT_BYTES, text, len, fault);
		return rc < 0 ? rc : 1;
	}
	same = eat(&c, '=');
	rc = exact(&v, KD_UNIT_BYTES, (struct text){(const char *)c.p, kd_cur_left(&c)}, fault);
	if (rc < 0)
		return rc;
	if (most && !same && v == 0)
		return kd_fault(fault, NULL, "\"%.*s\": nothing is shorter than 0 B", shown(len), text);
	if (least)
		s.lo = same ? v : v + 1;
	else
		s.hi = same ? v : v - 1;
	ret[0] = s;
	return 1;
}

int kd_value_nth(struct kd_span ret[KD_VALUE_SPANS], const char *words, const char *text, size_t len,
	struct kd_fault *fault)
{
	struct kd_span s;
	int rc = from_to(&s, KD_UNIT_COUNT, text, len, fault);

	(void)words;
	if (rc < 0)
		return rc;
	if (s.lo == 0)
		return kd_fault(fault, "packets are counted from 1", "\"%.*s\": there is no packet 0",
			shown(len), text);
	ret[0] = s;
	return 1;
}

/* "HH:MM" as minutes, 24:00 too. */
static bool time_of_day(struct kd_cur *c, uint64_t *ret)
{
	uint64_t h, m;

	if (!number(c, 24, &h) || !eat(c, ':') || kd_cur_left(c) < 2 || nibble(c->p[1]) < 0 ||
		!number(c, 59, &m))
		return false;
	*ret = h * 60 + m;
	return *ret <= DAY_MINUTES;
}

int kd_value_hours(struct kd_span ret[KD_VALUE_SPANS], const char *words, const char *text, size_t len,
	struct kd_fault *fault)
{
	struct kd_cur c = kd_cur((const uint8_t *)text, len);
	uint64_t from, to;

	(void)words;
	if (!time_of_day(&c, &from) || !eat(&c, '-') || !time_of_day(&c, &to) || kd_cur_left(&c) > 0 ||
		from == DAY_MINUTES)
		return refuse(
			fault, "a time of day", "expected \"HH:MM-HH:MM\", as in \"08:00-23:00\"", text, len);
	if (from == to)
		return kd_fault(fault, "\"00:00-24:00\" is the whole day", "\"%.*s\" is no time at all",
			shown(len), text);
	if (from < to) {
		ret[0] = (struct kd_span){from, to - 1};
		return 1;
	}
	ret[0] = (struct kd_span){from, DAY_MINUTES - 1};
	if (to == 0)
		return 1;
	ret[1] = (struct kd_span){0, to - 1};
	return 2;
}

/* What `t` stands for in "a=0x01|b=0x02". */
static bool named(const char *words, struct text t, uint64_t *ret)
{
	size_t n, name;

	for (const char *w = words; w != NULL && *w != '\0'; w += n + (w[n] == '|')) {
		n = strcspn(w, "|");
		name = strcspn(w, "=");
		if (name != t.len || memcmp(w, t.p, name) != 0 || name >= n)
			continue;
		*ret = strtoul(w + name + 1, NULL, 0);
		return true;
	}
	return false;
}

/* "a, b" from "a=0x01|b=0x02". */
static void names_of(char *buf, size_t room, const char *words)
{
	size_t len = 0, n;

	buf[0] = '\0';
	for (const char *w = words; *w != '\0' && len < room; w += n + (w[n] == '|')) {
		n = strcspn(w, "|");
		len += (size_t)snprintf(
			buf + len, room - len, "%s%.*s", len > 0 ? ", " : "", (int)strcspn(w, "="), w);
	}
}

static int field_number(uint64_t *ret, const char *words, struct text t, struct kd_fault *fault)
{
	struct kd_cur c = kd_cur((const uint8_t *)t.p, t.len);
	char hint[sizeof(fault->hint)], known[128];

	if (named(words, t, ret))
		return 0;
	if (number(&c, UINT16_MAX, ret) && kd_cur_left(&c) == 0)
		return 0;
	if (words == NULL)
		return refuse(fault, "a number of 16 bits",
			"expected 0 to 65535, as in \"0xfe0d\" or \"10..20\"", t.p, t.len);
	names_of(known, sizeof(known), words);
	snprintf(hint, sizeof(hint), "known: %s; or 0 to 65535, as in \"0xfe0d\"", known);
	return refuse(fault, "one of the words here, nor a number", hint, t.p, t.len);
}

int kd_value_number(struct kd_span ret[KD_VALUE_SPANS], const char *words, const char *text, size_t len,
	struct kd_fault *fault)
{
	struct text lo, hi;
	struct kd_span s;
	int rc;

	if (!sides(text, len, &lo, &hi))
		return kd_fault(fault, "expected LO..HI", "\"%.*s\" has no proper range", shown(len), text);
	rc = field_number(&s.lo, words, lo, fault);
	if (rc == 0)
		rc = field_number(&s.hi, words, hi, fault);
	if (rc < 0)
		return rc;
	if (s.lo > s.hi)
		return upside_down(fault, text, len);
	ret[0] = s;
	return 1;
}

/* A digit and the bits that it settles; ? settles none. */
static bool digit(int c, uint8_t *value, uint8_t *mask)
{
	int n = nibble(c);

	*value = n >= 0 ? (uint8_t)n : 0;
	*mask = n >= 0 ? 0xf : 0;
	return n >= 0 || c == '?';
}

/* Pairs of hex digits or ?, blanks between pairs. How many, or -EINVAL. Stores unless bytes is NULL. */
static int pairs(struct kd_cur c, uint8_t *bytes, uint8_t *mask, bool *any)
{
	uint8_t value[2], settled[2];
	int n = 0;

	*any = false;
	for (spaces(&c); kd_cur_left(&c) > 0; spaces(&c)) {
		const uint8_t *at = kd_cur_take(&c, 2);

		if (at == NULL || !digit(at[0], &value[0], &settled[0]) ||
			!digit(at[1], &value[1], &settled[1]))
			return -EINVAL;
		if (bytes != NULL) {
			bytes[n] = (uint8_t)(value[0] << 4 | value[1]);
			mask[n] = (uint8_t)(settled[0] << 4 | settled[1]);
		}
		*any = *any || settled[0] != 0 || settled[1] != 0;
		n++;
	}
	return n;
}

int kd_value_bytes(
	struct kd_byte_run *ret, struct kd_arena *arena, const char *text, size_t len, struct kd_fault *fault)
{
	struct kd_cur c = kd_cur((const uint8_t *)text, len);
	uint8_t *bytes, *mask;
	uint64_t offset;
	bool any;
	int n;

	if (len > OFFSET_MAX || !number(&c, OFFSET_MAX, &offset) || !eat(&c, ':'))
		return refuse(fault, "bytes at an offset",
			"expected \"OFFSET: HEX HEX\", as in \"4: 21 12 a4 42\"", text, len);
	n = pairs(c, NULL, NULL, &any);
	if (n < 0)
		return refuse(fault, "bytes at an offset",
			"expected pairs of hex digits, each ? for any digit", text, len);
	if (!any)
		return kd_fault(fault, "a length is asked for with \"length\"", "\"%.*s\" names no byte",
			shown(len), text);
	bytes = kd_arena_alloc(arena, (size_t)n);
	mask = kd_arena_alloc(arena, (size_t)n);
	if (bytes == NULL || mask == NULL)
		return -ENOMEM;
	pairs(c, bytes, mask, &any);
	*ret = (struct kd_byte_run){
		.offset = (uint32_t)offset, .len = (uint32_t)n, .bytes = bytes, .mask = mask};
	return 0;
}

static int by_lo(const void *a, const void *b)
{
	const struct kd_span *x = a, *y = b;

	return (x->lo > y->lo) - (x->lo < y->lo);
}

unsigned int kd_spans_tidy(struct kd_span *spans, unsigned int n)
{
	unsigned int kept = 0;

	if (n == 0)
		return 0;
	qsort(spans, n, sizeof(*spans), by_lo);
	for (unsigned int i = 1; i < n; i++) {
		if (spans[kept].hi == UINT64_MAX || spans[i].lo <= spans[kept].hi + 1) {
			if (spans[i].hi > spans[kept].hi)
				spans[kept].hi = spans[i].hi;
		} else {
			spans[++kept] = spans[i];
		}
	}
	return kept + 1;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Values of the terms of `when`. The first byte chooses the parser, the rest is its text; the last choice
 * takes the rest as spans to be tidied. What is accepted lies within its limits, and written out plainly it
 * is read as the same again; what is refused says why and touches nothing.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rulebook/when_values.h"

#define DAY_MINUTES 1440
#define SPANS_MAX 16

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static char *exact_copy(const void *text, size_t len)
{
	char *copy = malloc(len > 0 ? len : 1);

	must(copy != NULL);
	if (len > 0)
		memcpy(copy, text, len);
	return copy;
}

static void said(const struct kd_fault *fault)
{
	must(fault->message[0] != '\0');
	must(memchr(fault->message, '\0', sizeof(fault->message)) != NULL);
	must(memchr(fault->hint, '\0', sizeof(fault->hint)) != NULL);
}

static bool is_port(const struct kd_span *s, int n)
{
	return n == 1 && s->lo >= 1 && s->lo <= s->hi && s->hi <= 65535;
}

/* Sizes end at 10^12 B; "> v" starts one above, and no upper end is all there is. */
static bool is_length(const struct kd_span *s, int n)
{
	const uint64_t max = 1000000000000;

	return n == 1 && s->lo <= s->hi && s->lo <= max + 1 && (s->hi <= max || s->hi == UINT64_MAX);
}

static bool is_nth(const struct kd_span *s, int n)
{
	return n == 1 && s->lo >= 1 && s->lo <= s->hi && s->hi <= UINT32_MAX;
}

static bool is_hours(const struct kd_span *s, int n)
{
	if (n == 2)
		return s[0].lo < DAY_MINUTES && s[0].hi == DAY_MINUTES - 1 && s[1].lo == 0 &&
		       s[1].hi + 1 < s[0].lo;
	return n == 1 && s->lo <= s->hi && s->hi < DAY_MINUTES;
}

static bool is_number(const struct kd_span *s, int n)
{
	return n == 1 && s->lo <= s->hi && s->hi <= UINT16_MAX;
}

static void write_dash(char *buf, size_t room, const struct kd_span *s, int n)
{
	(void)n;
	snprintf(buf, room, "%" PRIu64 "-%" PRIu64, s->lo, s->hi);
}

static void write_dots(char *buf, size_t room, const struct kd_span *s, int n)
{
	(void)n;
	snprintf(buf, room, "%" PRIu64 "..%" PRIu64, s->lo, s->hi);
}

static void write_length(char *buf, size_t room, const struct kd_span *s, int n)
{
	(void)n;
	if (s->hi != UINT64_MAX)
		snprintf(buf, room, "%" PRIu64 " B..%" PRIu64 " B", s->lo, s->hi);
	else if (s->lo > 0)
		snprintf(buf, room, "> %" PRIu64 " B", s->lo - 1);
	else
		snprintf(buf, room, ">= 0 B");
}

static void write_hours(char *buf, size_t room, const struct kd_span *s, int n)
{
	unsigned int from = (unsigned int)s[0].lo, to = (unsigned int)s[n - 1].hi + 1;

	snprintf(buf, room, "%02u:%02u-%02u:%02u", from / 60, from % 60, to / 60, to % 60);
}

static const struct parser {
	kd_value_parse *parse;
	const char *words;
	bool (*within)(const struct kd_span *s, int n);
	void (*write)(char *buf, size_t room, const struct kd_span *s, int n);
} parsers[] = {
	{kd_value_port, NULL, is_port, write_dash},
	{kd_value_length, NULL, is_length, write_length},
	{kd_value_nth, NULL, is_nth, write_dots},
	{kd_value_hours, NULL, is_hours, write_hours},
	{kd_value_number, NULL, is_number, write_dots},
	{kd_value_number, "1.0=0x0301|1.2=0x0303|h2=7|h2c=8", is_number, write_dots},
};
#define LENGTH (&parsers[1])
#define PARSERS (sizeof(parsers) / sizeof(parsers[0]))

static int parse(struct kd_span spans[KD_VALUE_SPANS], const struct parser *p, const char *text, size_t len,
	struct kd_fault *fault)
{
	char *copy = exact_copy(text, len);
	int n = p->parse(spans, p->words, copy, len, fault);

	free(copy);
	return n;
}

static void try_spans(const struct parser *p, const char *text, size_t len)
{
	struct kd_span got[KD_VALUE_SPANS], again[KD_VALUE_SPANS], before[KD_VALUE_SPANS];
	struct kd_fault fault = {.message = "", .hint = ""};
	char plain[80];
	int n;

	memset(got, 0xa5, sizeof(got));
	memcpy(before, got, sizeof(got));
	n = parse(got, p, text, len, &fault);
	if (n < 0) {
		must(memcmp(got, before, sizeof(got)) == 0);
		said(&fault);
		return;
	}
	must(n <= KD_VALUE_SPANS && p->within(got, n));
	p->write(plain, sizeof(plain), got, n);
	must(parse(again, p, plain, strlen(plain), &fault) == n);
	must(memcmp(got, again, (size_t)n * sizeof(got[0])) == 0);
}

/* "< 5 B" and ">= 5 B", "<= 5 B" and "> 5 B": what one takes the other leaves, and nothing lies between. */
static void try_opposite(const char *text, size_t len)
{
	struct kd_span got[KD_VALUE_SPANS], other[KD_VALUE_SPANS];
	char *opposite = malloc(len + 2);
	struct kd_fault fault;
	size_t at = 0, n = 2;
	bool below;

	must(opposite != NULL);
	while (at < len && text[at] == ' ')
		at++;
	if (at == len || (text[at] != '<' && text[at] != '>') || parse(got, LENGTH, text, len, &fault) < 0) {
		free(opposite);
		return;
	}
	below = text[at++] == '<';
	opposite[0] = below ? '>' : '<';
	opposite[1] = '=';
	if (at < len && text[at] == '=') {
		at++;
		n = 1;
	}
	memcpy(opposite + n, text + at, len - at);
	if (parse(other, LENGTH, opposite, n + len - at, &fault) < 0)
		must(!below && got[0].lo == 0);
	else
		must(below ? got[0].hi + 1 == other[0].lo : other[0].hi + 1 == got[0].lo);
	free(opposite);
}

static int parse_bytes(
	struct kd_byte_run *run, struct kd_arena *arena, const char *text, size_t len, struct kd_fault *fault)
{
	char *copy = exact_copy(text, len);
	int rc = kd_value_bytes(run, arena, copy, len, fault);

	free(copy);
	return rc;
}

static char digit(unsigned int value, unsigned int mask)
{
	must(mask == 0 || mask == 0xf);
	return mask != 0 ? "0123456789abcdef"[value] : '?';
}

static void same_bytes(const struct kd_byte_run *run, struct kd_arena *arena)
{
	char *plain = malloc(32 + 3 * (size_t)run->len);
	struct kd_byte_run again;
	struct kd_fault fault;
	size_t at;

	must(plain != NULL);
	at = (size_t)sprintf(plain, "%" PRIu32 ":", run->offset);
	for (uint32_t i = 0; i < run->len; i++) {
		plain[at++] = ' ';
		plain[at++] = digit(run->bytes[i] >> 4, run->mask[i] >> 4);
		plain[at++] = digit(run->bytes[i] & 0xf, run->mask[i] & 0xf);
	}
	must(parse_bytes(&again, arena, plain, at, &fault) == 0);
	must(again.offset == run->offset && again.len == run->len);
	must(memcmp(again.bytes, run->bytes, run->len) == 0);
	must(memcmp(again.mask, run->mask, run->len) == 0);
	free(plain);
}

static void try_bytes(const char *text, size_t len)
{
	struct kd_byte_run run = {.offset = 1, .len = 2, .bytes = NULL, .mask = NULL};
	struct kd_fault fault = {.message = "", .hint = ""};
	struct kd_arena *arena = kd_arena_new();
	bool any = false;

	must(arena != NULL);
	if (parse_bytes(&run, arena, text, len, &fault) < 0) {
		must(run.offset == 1 && run.len == 2 && run.bytes == NULL && run.mask == NULL);
		said(&fault);
		kd_arena_free(arena);
		return;
	}
	/* Two digits a byte, behind an offset and its colon. */
	must(run.offset <= 65535 && run.len >= 1 && 2 * (size_t)run.len + 2 <= len);
	for (uint32_t i = 0; i < run.len; i++) {
		must((run.bytes[i] & ~run.mask[i]) == 0);
		any = any || run.mask[i] != 0;
	}
	must(any);
	same_bytes(&run, arena);
	kd_arena_free(arena);
}

static bool covered(const struct kd_span *spans, unsigned int n, uint64_t v)
{
	for (unsigned int i = 0; i < n; i++)
		if (spans[i].lo <= v && v <= spans[i].hi)
			return true;
	return false;
}

/* An end of a span: the low bits of the byte near 0, or near the largest number. */
static uint64_t end_of(uint8_t b)
{
	return b < 0x80 ? b : UINT64_MAX - (0xff - b);
}

static void try_tidy(const uint8_t *data, size_t size)
{
	struct kd_span was[SPANS_MAX], is[SPANS_MAX];
	unsigned int n = 0, kept;

	for (; n < SPANS_MAX && size >= 2; data += 2, size -= 2, n++) {
		uint64_t a = end_of(data[0]), b = end_of(data[1]);

		was[n] = (struct kd_span){.lo = a < b ? a : b, .hi = a < b ? b : a};
	}
	memcpy(is, was, n * sizeof(was[0]));
	kept = kd_spans_tidy(is, n);
	must(kept <= n && (kept > 0) == (n > 0));
	for (unsigned int i = 0; i < kept; i++) {
		must(is[i].lo <= is[i].hi);
		must(i == 0 || (is[i - 1].hi < is[i].lo && is[i].lo - is[i - 1].hi > 1));
	}
	for (unsigned int b = 0; b < 256; b++)
		must(covered(was, n, end_of((uint8_t)b)) == covered(is, kept, end_of((uint8_t)b)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t kind;

	if (size == 0)
		return 0;
	kind = data[0] % (PARSERS + 2);
	if (kind < PARSERS) {
		try_spans(&parsers[kind], (const char *)data + 1, size - 1);
		if (&parsers[kind] == LENGTH)
			try_opposite((const char *)data + 1, size - 1);
	} else if (kind == PARSERS) {
		try_bytes((const char *)data + 1, size - 1);
	} else {
		try_tidy(data + 1, size - 1);
	}
	return 0;
}

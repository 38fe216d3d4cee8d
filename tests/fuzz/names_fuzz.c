/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The name table against a comparison of every name with every host. The input is lines: one that starts with
 * '?' asks for the host behind it, any other is a name behind a byte for its set and a byte for what of it (1
 * itself, 2 below).
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "rulebook/names.h"

#define LINES_MAX 128

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct line {
	uint8_t *text; /* exact-size copy */
	size_t len;
	unsigned int set; /* 0 = a host */
	unsigned int what;
};

static void must(bool holds)
{
	if (!holds)
		abort();
}

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
}

static bool covers(const struct line *name, const struct line *host)
{
	if (name->len > host->len || host->len > 253)
		return false;
	for (size_t i = 1; i <= name->len; i++)
		if (lower(name->text[name->len - i]) != lower(host->text[host->len - i]))
			return false;
	if (name->len == host->len)
		return (name->what & KD_NAME_SELF) != 0;
	return host->len >= name->len + 2 && host->text[host->len - name->len - 1] == '.' &&
	       (name->what & KD_NAME_BELOW) != 0;
}

static struct line take_line(const uint8_t *at, size_t len)
{
	struct line l = {0};
	size_t skip = len > 0 && at[0] == '?' ? 1 : 2;

	if (len < skip)
		return l;
	if (skip == 2) {
		l.set = 1 + at[0] % (KD_NAME_SETS - 1u);
		l.what = 1 + (at[1] + 2u) % 3; /* '1', '2', '3' are what they say */
	}
	l.len = len - skip;
	l.text = malloc(l.len);
	must(l.text != NULL || l.len == 0);
	if (l.len > 0)
		memcpy(l.text, at + skip, l.len);
	return l;
}

static struct kd_names *build(struct line *lines, unsigned int n)
{
	struct kd_names_builder *b = kd_names_builder_new();
	struct kd_names *names = NULL;

	must(b != NULL);
	for (unsigned int i = 0; i < n; i++) {
		struct line *l = &lines[i];
		bool good = l->len > 0 && l->len <= KD_NAME_MAX;

		if (l->set == 0)
			continue;
		must((kd_names_add(b, (const char *)l->text, l->len, l->what, l->set) == 0) == good);
		if (!good)
			l->what = 0;
	}
	must(kd_names_build(&names, b) == 0);
	return names;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct line lines[LINES_MAX];
	struct kd_names *names;
	unsigned int n = 0;

	while (size > 0 && n < LINES_MAX) {
		const uint8_t *lf = memchr(data, '\n', size);
		size_t len = lf != NULL ? (size_t)(lf - data) : size;

		lines[n++] = take_line(data, len);
		len += lf != NULL;
		data += len;
		size -= len;
	}
	names = build(lines, n);
	for (unsigned int h = 0; h < n; h++) {
		struct kd_set_bits got = {0}, want = {0};

		if (lines[h].set != 0 || lines[h].text == NULL)
			continue;
		kd_names_match(names, lines[h].text, lines[h].len, &got);
		for (unsigned int i = 0; i < n && lines[h].len > 0; i++)
			if (lines[i].set != 0 && lines[i].what != 0 && covers(&lines[i], &lines[h]))
				kd_set_bits_add(&want, lines[i].set);
		must(memcmp(&got, &want, sizeof(got)) == 0);
	}
	kd_names_free(names);
	for (unsigned int i = 0; i < n; i++)
		free(lines[i].text);
	return 0;
}

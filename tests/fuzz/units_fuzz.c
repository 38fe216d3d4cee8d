/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Numbers with units. The first byte chooses the kind, the rest is the text. What is accepted lies in its own
 * range and survives being printed and read again; what is refused says why and touches nothing.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "rulebook/units.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static int parse(struct kd_number *n, unsigned int kind, const void *text, size_t len, struct kd_fault *fault)
{
	char *copy = malloc(len > 0 ? len : 1);
	int rc;

	must(copy != NULL);
	if (len > 0)
		memcpy(copy, text, len);
	rc = kd_units_parse(n, kind, copy, len, fault);
	free(copy);
	return rc;
}

static void same_again(unsigned int kind, uint64_t value)
{
	char text[KD_UNITS_TEXT];
	struct kd_fault fault;
	struct kd_number n;
	uint64_t apart;

	kd_units_text(text, kind, value);
	must(parse(&n, kind, text, strlen(text), &fault) == 0);
	must(!n.ranged);
	apart = n.value > value ? n.value - value : value - n.value;
	/* A share is printed in millionths of a percent, 2^64 / 10^8 each. */
	must(kind == KD_UNIT_SHARE ? apart <= 184467440737 : apart == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kd_number n = {.value = 1, .lo = 2, .hi = 3};
	struct kd_fault fault = {.message = "", .hint = ""};
	unsigned int kind;

	if (size == 0)
		return 0;
	kind = data[0] % KD_UNIT_KINDS;
	if (parse(&n, kind, data + 1, size - 1, &fault) < 0) {
		must(n.value == 1 && n.lo == 2 && n.hi == 3 && !n.ranged);
		must(fault.message[0] != '\0');
		must(memchr(fault.message, '\0', sizeof(fault.message)) != NULL);
		must(memchr(fault.hint, '\0', sizeof(fault.hint)) != NULL);
		return 0;
	}
	must(n.lo <= n.value && n.value <= n.hi);
	must(n.ranged || (n.lo == n.value && n.hi == n.value));
	must(kind == KD_UNIT_SHARE || n.hi <= 3650 * 86400000000000ull);
	same_again(kind, n.value);
	same_again(kind, n.lo);
	same_again(kind, n.hi);
	return 0;
}

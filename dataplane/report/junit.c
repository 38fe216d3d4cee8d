/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Writes JUnit XML. Decides only how text becomes XML: the five entities, and characters that XML 1.0 forbids
 * (most control characters, even escaped) as a question mark.
 */
#include "report/junit.h"

#include <errno.h>

static void attribute(FILE *to, const char *name, const char *value)
{
	fprintf(to, " %s=\"", name);
	for (const char *c = value; *c != '\0'; c++) {
		switch (*c) {
		case '&':
			fputs("&amp;", to);
			break;
		case '<':
			fputs("&lt;", to);
			break;
		case '>':
			fputs("&gt;", to);
			break;
		case '"':
			fputs("&quot;", to);
			break;
		case '\'':
			fputs("&apos;", to);
			break;
		case '\n':
			fputs("&#10;", to);
			break;
		case '\t':
			fputs("&#9;", to);
			break;
		default:
			/* names come from packets and may be any bytes: ASCII is always well-formed */
			fputc(*c >= 0x20 && *c < 0x7f ? *c : '?', to);
		}
	}
	fputc('"', to);
}

static void totals(FILE *to, const unsigned int *count, unsigned int n)
{
	fprintf(to, " tests=\"%u\" failures=\"%u\" errors=\"%u\" skipped=\"%u\"", n, count[KD_JUNIT_FAILED],
		count[KD_JUNIT_ERROR], count[KD_JUNIT_SKIPPED]);
}

int kd_junit_write(FILE *to, const char *suite, const struct kd_junit_case *cases, unsigned int n)
{
	static const char *const elements[KD_JUNIT_COUNT] = {NULL, "failure", "error", "skipped"};
	unsigned int count[KD_JUNIT_COUNT] = {0};

	for (unsigned int i = 0; i < n; i++)
		count[cases[i].status]++;
	errno = 0;
	fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites", to);
	totals(to, count, n);
	fputs(">\n  <testsuite", to);
	attribute(to, "name", suite);
	totals(to, count, n);
	fputs(">\n", to);
	for (unsigned int i = 0; i < n; i++) {
		const struct kd_junit_case *c = &cases[i];

		fputs("    <testcase", to);
		attribute(to, "classname", c->classname);
		attribute(to, "name", c->name);
		if (elements[c->status] != NULL) {
			fprintf(to, ">\n      <%s", elements[c->status]);
			attribute(to, "message", c->message);
			fputs("/>\n    </testcase>\n", to);
		} else {
			fputs("/>\n", to);
		}
	}
	fputs("  </testsuite>\n</testsuites>\n", to);
	if (fflush(to) != 0 || ferror(to))
		return errno != 0 ? -errno : -EIO;
	return 0;
}

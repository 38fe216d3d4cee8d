/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Writes JSON into a buffer, a line at a time: commas, escapes, numbers, times and addresses. Knows no event
 * and decides no key.
 */
#include "report/json.h"

#include <arpa/inet.h>
#include <string.h>
#include <time.h>

static void put(struct kd_json *j, const void *bytes, size_t len)
{
	if (j->full || j->room - j->len < len) {
		j->full = true;
		return;
	}
	memcpy(j->buf + j->len, bytes, len);
	j->len += len;
}

static void put_char(struct kd_json *j, char c)
{
	put(j, &c, 1);
}

static void put_u64(struct kd_json *j, uint64_t v)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + v % 10);
		v /= 10;
	} while (v != 0);
	put(j, digits + at, sizeof(digits) - at);
}

/* U+0000 to U+00FF only: control characters, and bytes that are no UTF-8. */
static void put_escape(struct kd_json *j, uint8_t c)
{
	static const char hex[] = "0123456789abcdef";
	const char text[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};

	put(j, text, sizeof(text));
}

/* Length of the well-formed UTF-8 sequence (RFC 3629: no overlong form, no surrogate) at p, or 0. */
static size_t utf8_len(const uint8_t *p, size_t left)
{
	uint8_t low = 0x80, high = 0xbf;
	size_t len;

	if (p[0] >= 0xc2 && p[0] <= 0xdf)
		len = 2;
	else if (p[0] >= 0xe0 && p[0] <= 0xef)
		len = 3;
	else if (p[0] >= 0xf0 && p[0] <= 0xf4)
		len = 4;
	else
		return 0;
	if (left < len)
		return 0;
	if (p[0] == 0xe0)
		low = 0xa0;
	else if (p[0] == 0xed)
		high = 0x9f;
	else if (p[0] == 0xf0)
		low = 0x90;
	else if (p[0] == 0xf4)
		high = 0x8f;
	if (p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i < len; i++)
		if (p[i] < 0x80 || p[i] > 0xbf)
			return 0;
	return len;
}

static void put_text(struct kd_json *j, const uint8_t *p, size_t len)
{
	put_char(j, '"');
	for (size_t i = 0; i < len;) {
		size_t n;

		if (p[i] == '"' || p[i] == '\\') {
			const char pair[2] = {'\\', (char)p[i]};

			put(j, pair, sizeof(pair));
			i++;
		} else if (p[i] >= 0x20 && p[i] < 0x7f) {
			put_char(j, (char)p[i++]);
		} else if (p[i] < 0x80) {
			put_escape(j, p[i++]);
		} else if ((n = utf8_len(p + i, len - i)) == 0) {
			put_escape(j, p[i++]);
		} else if (p[i] == 0xc2 && p[i + 1] < 0xa0) {
			put_escape(j, p[i + 1]); /* C1 controls: some terminals obey them */
			i += n;
		} else {
			put(j, p + i, n);
			i += n;
		}
	}
	put_char(j, '"');
}

static void put_key(struct kd_json *j, const char *key)
{
	if (j->comma)
		put_char(j, ',');
	j->comma = true;
	if (key == NULL)
		return;
	put_text(j, (const uint8_t *)key, strlen(key));
	put_char(j, ':');
}

void kd_json_start(struct kd_json *j, char *buf, size_t room)
{
	*j = (struct kd_json){.buf = buf, .room = room};
}

void kd_json_open(struct kd_json *j, const char *key, char bracket)
{
	put_key(j, key);
	put_char(j, bracket);
	j->comma = false;
}

void kd_json_close(struct kd_json *j, char bracket)
{
	put_char(j, bracket);
	j->comma = true;
}

void kd_json_text(struct kd_json *j, const char *key, const uint8_t *bytes, size_t len)
{
	put_key(j, key);
	put_text(j, bytes, len);
}

void kd_json_str(struct kd_json *j, const char *key, const char *s)
{
	kd_json_text(j, key, (const uint8_t *)s, strlen(s));
}

void kd_json_u64(struct kd_json *j, const char *key, uint64_t v)
{
	put_key(j, key);
	put_u64(j, v);
}

void kd_json_bool(struct kd_json *j, const char *key, bool v)
{
	put_key(j, key);
	put(j, v ? "true" : "false", v ? 4 : 5);
}

static void two_digits(char *at, unsigned int v)
{
	at[0] = (char)('0' + v / 10 % 10);
	at[1] = (char)('0' + v % 10);
}

void kd_json_time(char *buf, uint64_t time_ns)
{
	time_t seconds = (time_t)(time_ns / 1000000000u);
	uint32_t rest = (uint32_t)(time_ns % 1000000000u);
	struct tm tm = {0};

	/* 2^64 ns end in the year 2554: four digits always do. */
	gmtime_r(&seconds, &tm);
	two_digits(buf, (unsigned int)(tm.tm_year + 1900) / 100);
	two_digits(buf + 2, (unsigned int)(tm.tm_year + 1900));
	buf[4] = '-';
	two_digits(buf + 5, (unsigned int)tm.tm_mon + 1);
	buf[7] = '-';
	two_digits(buf + 8, (unsigned int)tm.tm_mday);
	buf[10] = 'T';
	two_digits(buf + 11, (unsigned int)tm.tm_hour);
	buf[13] = ':';
	two_digits(buf + 14, (unsigned int)tm.tm_min);
	buf[16] = ':';
	two_digits(buf + 17, (unsigned int)tm.tm_sec);
	buf[19] = '.';
	for (int i = 28; i >= 20; i--, rest /= 10)
		buf[i] = (char)('0' + rest % 10);
	buf[29] = 'Z';
	buf[30] = '\0';
}

void kd_json_u64_text(struct kd_json *j, const char *key, uint64_t v)
{
	put_key(j, key);
	put_char(j, '"');
	put_u64(j, v);
	put_char(j, '"');
}

void kd_json_timestamp(struct kd_json *j, const char *key, uint64_t time_ns)
{
	char text[32];

	kd_json_time(text, time_ns);
	kd_json_str(j, key, text);
}

void kd_json_address(struct kd_json *j, const char *key, const uint8_t *addr, unsigned int ip_version)
{
	char text[INET6_ADDRSTRLEN];

	if (ip_version == 6) {
		inet_ntop(AF_INET6, addr, text, sizeof(text)); /* RFC 5952 */
		kd_json_str(j, key, text);
		return;
	}
	put_key(j, key);
	put_char(j, '"');
	for (int i = 0; i < 4; i++) {
		if (i > 0)
			put_char(j, '.');
		put_u64(j, addr[i]);
	}
	put_char(j, '"');
}

size_t kd_json_line(struct kd_json *j)
{
	put_char(j, '\n');
	return j->full ? 0 : j->len;
}

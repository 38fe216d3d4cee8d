/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Events as JSON lines in the shape of Suricata's eve; the schema is docs/events.schema.json. A writer of
 * strings into a fixed buffer, not a document model: keys come in a fixed order, so equal records are equal
 * bytes.
 */
#ifndef KD_JSON_H
#define KD_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "engine/event.h"

struct kd_endpoint;
struct kd_policy;

struct kd_json {
	char *buf;
	size_t room, len;
	bool full;  /* something did not fit: the line must not be used */
	bool comma; /* a value stands before */
};

/* Builder: objects and arrays nest; key is NULL inside an array or at the top. Text is escaped; bytes that
 * are not UTF-8 come out as \u00XX, so every line is valid JSON. */
void kd_json_start(struct kd_json *j, char *buf, size_t room);
void kd_json_open(struct kd_json *j, const char *key, char bracket);
void kd_json_close(struct kd_json *j, char bracket);
void kd_json_text(struct kd_json *j, const char *key, const uint8_t *bytes, size_t len);
void kd_json_str(struct kd_json *j, const char *key, const char *s);
void kd_json_u64(struct kd_json *j, const char *key, uint64_t v);
void kd_json_bool(struct kd_json *j, const char *key, bool v);
/* As a string: 64 bits do not fit the number of most JSON readers. */
void kd_json_u64_text(struct kd_json *j, const char *key, uint64_t v);
/* As kd_json_time writes it. */
void kd_json_timestamp(struct kd_json *j, const char *key, uint64_t time_ns);
void kd_json_address(struct kd_json *j, const char *key, const uint8_t *addr, unsigned int ip_version);
/* The length of the finished line, 0 when it did not fit. */
size_t kd_json_line(struct kd_json *j);

#define KD_JSON_LINE_MAX 8192

/* RFC 3339 with nanoseconds, UTC: "2022-03-20T09:00:00.123456789Z". buf needs 32 bytes. */
void kd_json_time(char *buf, uint64_t time_ns);

/* One event as a line with its newline, into buf (KD_JSON_LINE_MAX); returns the length. */
size_t kd_json_event(
	char *buf, size_t room, const struct kd_event *e, const struct kd_policy *policy, bool open_loop);

struct kd_boxes;

struct kd_run_record {
	const struct kd_policy *policy; /* of the only box, or of the first */
	const struct kd_boxes *boxes;	/* when there are several: all; else NULL */
	uint64_t seed;
	const char *inside;    /* the rule that chose the inside: "interface", "inside-net", "private",
				  "first-packet", "mixed" */
	const char *checksums; /* "auto", "trust", "verify" */
	const struct kd_endpoint *endpoint; /* what the observer went by; NULL = there was none */
	bool endpoint_guessed;
};

/* Bytes that the record of this run fits in: a sampled box may have drawn any number of values. */
size_t kd_json_run_room(const struct kd_run_record *run);
/* The first line of every event stream: no host, clock or path in it. */
size_t kd_json_run(char *buf, size_t room, const struct kd_run_record *run);

#define KD_EVENT_SCHEMA_VERSION 1

#endif

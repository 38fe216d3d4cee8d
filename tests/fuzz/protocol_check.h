/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What every protocol parser owes, on any bytes: fields inside the payload, the room or its scratch, lists
 * that can be walked, fields only with a match, a named why, and answers that more bytes do not take back: a
 * match and a not-mine are final, so every start of something that matches is a need-more or the same match.
 * A match that says it is partial may be taken back.
 */
#ifndef KD_PROTOCOL_CHECK_H
#define KD_PROTOCOL_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engine/knob.h"
#include "engine/protocol.h"

static inline void must(bool holds)
{
	if (!holds)
		abort();
}

static inline bool is_in_room(const struct kd_app *app, const uint8_t *p)
{
	return app->how.room != NULL && p >= app->how.room && p <= app->how.room + app->how.room_len;
}

static inline void check_field(const struct kd_app_field *f, unsigned int kind, const uint8_t *payload,
	size_t len, const struct kd_app *app)
{
	const uint8_t *p = f->p, *end = f->p + f->len;

	if (p >= app->scratch && p <= app->scratch + KD_APP_SCRATCH)
		must(end <= app->scratch + app->scratch_len);
	else if (is_in_room(app, p))
		must(end <= app->how.room + app->how.room_len);
	else
		must(p >= payload && end <= payload + len);
	if (kind == KD_FIELD_HEX16)
		must(f->num <= 0xffff);
	if (kind == KD_FIELD_LIST_U16)
		must(f->len % 2 == 0);
	while (kind == KD_FIELD_LIST8 && p < end) {
		must(*p < end - p);
		p += 1 + *p;
	}
}

/* Parses the first `len` bytes in an exact-size copy, as `how` says. *ret_name becomes the offset of field 0
 * in them or in the room, its place and length in scratch, or SIZE_MAX; *ret_partial whether more may follow.
 */
static inline enum kd_parse check_parse(const struct kd_protocol *protocol, const struct kd_how *how,
	const uint8_t *bytes, size_t len, size_t *ret_name, bool *ret_partial)
{
	uint8_t *payload = malloc(len);
	struct kd_app app;
	enum kd_parse got;

	must(payload != NULL || len == 0);
	if (len > 0)
		memcpy(payload, bytes, len);
	memset(&app, 0xaa, sizeof(app));
	app.how = *how;
	app.how.to = how->to < len ? how->to : (uint32_t)len;
	app.partial = app.goes_on = false;
	app.next = 0;
	got = protocol->parse(payload, len, &app);
	must(got == KD_NOT_MINE || got == KD_NEED_MORE || got == KD_MATCH);
	must(app.why < KD_LOCAL_REASONS && protocol->reasons[app.why].name != NULL);
	must(app.scratch_len <= KD_APP_SCRATCH);
	for (unsigned int i = 0; i < KD_FIELDS_MAX; i++) {
		if (app.field[i].p == NULL)
			continue;
		must(got == KD_MATCH && protocol->fields[i].name != NULL);
		check_field(&app.field[i], protocol->fields[i].kind, payload, len, &app);
	}
	must(!app.partial || app.goes_on);
	must(got != KD_MATCH || app.next == 0 || app.goes_on);
	*ret_partial = app.partial;
	*ret_name = SIZE_MAX;
	if (app.field[0].p >= app.scratch && app.field[0].p < app.scratch + KD_APP_SCRATCH)
		*ret_name = (size_t)(app.field[0].p - app.scratch) << 16 | app.field[0].len;
	else if (app.field[0].p != NULL)
		*ret_name =
			(size_t)(app.field[0].p - (is_in_room(&app, app.field[0].p) ? how->room : payload));
	free(payload);
	return got;
}

static inline void check_protocol_how(
	const struct kd_protocol *protocol, const struct kd_how *how, const uint8_t *data, size_t size)
{
	size_t name, start_name, step = size < 64 ? 1 : size / 16;
	bool partial;
	enum kd_parse whole = check_parse(protocol, how, data, size, &name, &partial), start;

	for (size_t len = 0; len < size; len += step) {
		start = check_parse(protocol, how, data, len, &start_name, &partial);
		if (start == KD_MATCH && partial)
			continue;
		must(start == KD_NEED_MORE || start == whole);
		if (start == KD_MATCH)
			must(start_name == name);
	}
}

static inline void check_protocol(const struct kd_protocol *protocol, const uint8_t *data, size_t size)
{
	check_protocol_how(protocol, &(struct kd_how){0}, data, size);
	check_protocol_how(protocol,
		&(struct kd_how){.padded = KD_PADDED_HELLO_PARSED,
			.requests = KD_REQUESTS_ALL,
			.transport = KD_TRANSPORT_TCP},
		data, size);
}

#endif

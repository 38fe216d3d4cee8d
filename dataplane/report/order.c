/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A binary heap of small entries, each with its sort key at hand, that point to copies of the records.
 * Records with equal keys come out as they went in. Knows nothing of what a record says.
 */
#include "report/order.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define ROOM_FIRST 256

struct entry {
	uint64_t time_ns, number, flow_id, arrival;
	uint32_t n;
	uint8_t box;
	struct kd_event *record; /* allocated only as far as its text goes */
};

struct kd_order {
	kd_order_sink *sink;
	void *user;
	struct entry *heap; /* the first is the earliest; i is no later than 2i+1 and 2i+2 */
	size_t count, room;
	uint64_t arrivals;
	struct kd_event out; /* a whole record for the sink */
};

static bool earlier(const struct entry *a, const struct entry *b)
{
	if (a->time_ns != b->time_ns)
		return a->time_ns < b->time_ns;
	if (a->number != b->number)
		return a->number < b->number;
	if (a->box != b->box)
		return a->box < b->box;
	if (a->n != b->n)
		return a->n < b->n;
	if (a->flow_id != b->flow_id)
		return a->flow_id < b->flow_id;
	return a->arrival < b->arrival;
}

int kd_order_new(struct kd_order **ret, kd_order_sink *sink, void *user)
{
	struct kd_order *o = calloc(1, sizeof(*o));

	if (o == NULL)
		return -ENOMEM;
	o->sink = sink;
	o->user = user;
	*ret = o;
	return 0;
}

static int order_grow(struct kd_order *o)
{
	size_t room = o->room == 0 ? ROOM_FIRST : o->room * 2;
	struct entry *heap = reallocarray(o->heap, room, sizeof(*heap));

	if (heap == NULL)
		return -ENOMEM;
	o->heap = heap;
	o->room = room;
	return 0;
}

static size_t text_len(const struct kd_event *e)
{
	return e->text_len < KD_EVENT_TEXT ? e->text_len : KD_EVENT_TEXT;
}

int kd_order_add(struct kd_order *o, const struct kd_event *e)
{
	size_t size = offsetof(struct kd_event, text) + text_len(e);
	struct kd_event *record;
	struct entry new;
	size_t at;

	if (o->count == o->room && order_grow(o) < 0)
		return -ENOMEM;
	record = malloc(size);
	if (record == NULL)
		return -ENOMEM;
	memcpy(record, e, size);
	new = (struct entry){
		.time_ns = e->time_ns,
		.number = e->number,
		.flow_id = e->flow_id,
		.arrival = o->arrivals++,
		.n = e->n,
		.box = e->box,
		.record = record,
	};
	for (at = o->count++; at > 0 && earlier(&new, &o->heap[(at - 1) / 2]); at = (at - 1) / 2)
		o->heap[at] = o->heap[(at - 1) / 2];
	o->heap[at] = new;
	return 0;
}

/* Takes the earliest entry out; there is one. */
static struct entry order_take(struct kd_order *o)
{
	struct entry first = o->heap[0];
	const struct entry last = o->heap[--o->count];
	size_t at = 0;
	size_t child;

	while ((child = 2 * at + 1) < o->count) {
		if (child + 1 < o->count && earlier(&o->heap[child + 1], &o->heap[child]))
			child++;
		if (!earlier(&o->heap[child], &last))
			break;
		o->heap[at] = o->heap[child];
		at = child;
	}
	o->heap[at] = last;
	return first;
}

void kd_order_flush(struct kd_order *o, uint64_t horizon_ns)
{
	while (o->count > 0 && (o->heap[0].time_ns < horizon_ns || horizon_ns == UINT64_MAX)) {
		struct entry first = order_take(o);
		size_t len = text_len(first.record);

		memcpy(&o->out, first.record, offsetof(struct kd_event, text) + len);
		memset(o->out.text + len, 0, KD_EVENT_TEXT - len);
		free(first.record);
		o->sink(o->user, &o->out);
	}
}

void kd_order_free(struct kd_order *o)
{
	if (o == NULL)
		return;
	for (size_t i = 0; i < o->count; i++)
		free(o->heap[i].record);
	free(o->heap);
	free(o);
}

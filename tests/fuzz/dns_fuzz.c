/* SPDX-License-Identifier: BSD-3-Clause */
/* The DNS parser on any bytes, as UDP and as TCP; what must hold stands in protocol_check.h. */
#include "protocol_check.h"

extern const struct kd_protocol kd_protocol_dns;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_protocol(&kd_protocol_dns, data, size);
	return 0;
}

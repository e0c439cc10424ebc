/* Content-Type: what is understood has one boundary, of bytes that a boundary may have, and is understood the same with
 * an empty parameter behind it. */
#include "body_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool same(const struct body_type *a, const struct body_type *b)
{
	return a->kind == b->kind && a->charset == b->charset && a->boundary_len == b->boundary_len &&
	       memcmp(a->boundary, b->boundary, a->boundary_len) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span value = span_of((const char *)data, size);
	struct body_type type, other;
	struct body_fault fault = {0};
	if (!body_type_read(value, &type, &fault)) {
		MUST(fault.reason == REASON_BODY_TYPE || fault.reason == REASON_BODY_CHARSET);
		MUST(fault.evidence.len == 0 || (fault.evidence.ptr >= value.ptr &&
						 fault.evidence.ptr + fault.evidence.len <= value.ptr + size));
		return 0;
	}
	MUST(type.kind != BODY_KIND_UNSET && type.boundary_len <= BODY_BOUNDARY_MAX);
	MUST((type.kind == BODY_MULTIPART) == (type.boundary_len > 0));
	for (size_t i = 0; i < type.boundary_len; i++)
		MUST(type.boundary[i] >= ' ' && type.boundary[i] <= 'z' && type.boundary[i] != '"' && type.boundary[i] != '\\');
	if (size == 0)
		return 0;
	char *more = malloc(size + 2);
	MUST(more);
	memcpy(more, data, size);
	memcpy(more + size, " ;", 2);
	MUST(body_type_read(span_of(more, size + 2), &other, &fault) && same(&type, &other));
	free(more);
	return 0;
}

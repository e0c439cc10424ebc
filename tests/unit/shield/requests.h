#ifndef TESTS_SHIELD_REQUESTS_H
#define TESTS_SHIELD_REQUESTS_H

#include "sallyport/shield.h"

/* Requests for the shield, made without a parser. After cmocka.h. */

enum { REQUEST_ROOM = 4096 };

struct test_request {
	char text[2 * REQUEST_ROOM]; /* METHOD SP request-target, fields */
	char canon_room[URL_CANON_ROOM(REQUEST_ROOM)];
	char query_room[REQUEST_ROOM];
	struct http_head head;
	struct url_target target;
	struct url_canon canon;
	struct shield_request request;
};

static inline void request_make(const struct shield *shield, struct test_request *made,
				struct span method, struct span target)
{
	enum reason reason;
	memcpy(made->text, method.ptr, method.len);
	made->text[method.len] = ' ';
	memcpy(made->text + method.len + 1, target.ptr, target.len);
	made->head = (struct http_head){
	    .base = made->text,
	    .method = (uint8_t)http_method_lookup(method),
	    .method_len = (uint16_t)method.len,
	    .target_off = (uint16_t)(method.len + 1),
	    .target_len = (uint16_t)target.len,
	    .framing = HTTP_FRAMING_NONE,
	};
	assert_true(url_split(http_target(&made->head), &made->target, &reason));
	url_canon_path_as(made->target.path, shield_canon_options(shield), made->canon_room,
			  &made->canon);
	made->request =
	    (struct shield_request){.head = &made->head,
				    .target = &made->target,
				    .canon = &made->canon,
				    .buf = made->query_room};
}

/* Adds lines "Name: value", by CRLF, behind the target. */
static inline void request_add_fields(struct test_request *made, const char *lines)
{
	size_t at = made->head.target_off + made->head.target_len + 1u;
	while (*lines) {
		size_t len = strcspn(lines, "\r"), name = strcspn(lines, ":");
		memcpy(made->text + at, lines, len);
		made->head.fields[made->head.field_count++] = (struct http_field){
		    .name_off = (uint16_t)at,
		    .name_len = (uint16_t)name,
		    .value_off = (uint16_t)(at + name + 2),
		    .value_len = (uint16_t)(len - name - 2),
		    .id = (uint8_t)http_field_lookup(span_of(lines, name)),
		};
		at += len;
		lines += len + strspn(lines + len, "\r\n");
	}
}

static inline struct verdict request_judge_with(const struct shield *shield,
						struct shield_scratch *scratch, const char *method,
						const char *target, const char *fields)
{
	static struct test_request made;
	struct verdict verdict;
	request_make(shield, &made, span_from_str(method), span_from_str(target));
	request_add_fields(&made, fields ? fields : "");
	shield_judge(shield, scratch, &made.request, &verdict);
	return verdict;
}

static inline struct verdict request_judge(const struct shield *shield,
					   struct shield_scratch *scratch, const char *method,
					   const char *target)
{
	return request_judge_with(shield, scratch, method, target, NULL);
}

#endif

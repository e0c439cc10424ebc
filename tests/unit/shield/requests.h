#ifndef TESTS_SHIELD_REQUESTS_H
#define TESTS_SHIELD_REQUESTS_H

#include "sallyport/shield.h"

/* Requests for the shield, made without a parser. After cmocka.h. */

enum { REQUEST_ROOM = 4096 };

struct test_request {
	char text[REQUEST_ROOM]; /* METHOD SP request-target */
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

static inline struct verdict request_judge(const struct shield *shield,
					   struct shield_scratch *scratch, const char *method,
					   const char *target)
{
	static struct test_request made;
	struct verdict verdict;
	request_make(shield, &made, span_from_str(method), span_from_str(target));
	shield_judge(shield, scratch, &made.request, &verdict);
	return verdict;
}

#endif

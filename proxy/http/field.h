#ifndef HTTP_FIELD_H
#define HTTP_FIELD_H

#include "sallyport/http_head.h"

/* Id of a name that is known to be a token. */
enum http_field_id http_field_id_of_token(struct span name);

/* The field that a token would be to a back end that maps every byte but letters
 * and digits to one ("_" in CGI and WSGI variables): Content_Length and
 * Content.Length are HTTP_FIELD_CONTENT_LENGTH. OTHER where it is none of ours,
 * also for names of letters, digits and "-" only. */
enum http_field_id http_field_confused_with(struct span name);

/* Whether the message would mean something else without that field. */
bool http_field_is_vital(struct span name);

/* Letters without regard to case: token is known to be one, lower is in lower case. */
bool http_token_is(struct span token, struct span lower);

#endif

#ifndef SALLYPORT_SHIELD_UNESCAPE_H
#define SALLYPORT_SHIELD_UNESCAPE_H

#include "sallyport/span.h"

/* Escapes undone, each as its reader does it; what is no escape stays as it is. out has in.len
 * bytes. Characters above U+00FF come out as UTF-8, where that is no longer than the escape. */

/* %HH and %uHHHH; "+" is a space where there is an escape. */
struct span unescape_url(struct span in, char *out);
/* &#60; &#x3c; &lt; and the few names that matter, also without the semicolon. */
struct span unescape_html(struct span in, char *out);
/* \xHH, \uHHHH, \u{H…}, octal and single letters. */
struct span unescape_js(struct span in, char *out);
/* \H… of up to six digits, and one space behind them. */
struct span unescape_css(struct span in, char *out);
/* Up to the first byte that is of neither alphabet. */
struct span unescape_base64(struct span in, char *out);
/* Pairs of digits, up to the first byte that is none. */
struct span unescape_hex(struct span in, char *out);

#endif

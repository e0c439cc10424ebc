/* Checks UTF-8 as RFC 3629 section 4 writes it, and tells overlong forms from the
 * rest: those of five and six bytes (RFC 2279) too, which old decoders still take.
 * Trusts no byte; keeps three. */
#include "url/utf8.h"

#include "sallyport/url.h"

static void expect(struct utf8_check *check, unsigned left, unsigned low, unsigned high)
{
	check->left = (uint8_t)left;
	check->low = (uint8_t)low;
	check->high = (uint8_t)high;
}

static unsigned feed_lead(struct utf8_check *check, unsigned byte)
{
	if (byte < 0x80)
		return 0;
	if (byte < 0xc0)
		return URL_UTF8_INVALID;
	if (byte < 0xe0) {
		expect(check, 1, 0x80, 0xbf);
		/* C0 and C1 start nothing but overlong forms, whatever comes next:
		 * Nimda's %c1%1c has no continuation byte at all */
		return byte < 0xc2 ? URL_UTF8_OVERLONG : 0;
	}
	if (byte < 0xf0)
		expect(check, 2, byte == 0xe0 ? 0xa0 : 0x80, byte == 0xed ? 0x9f : 0xbf);
	else if (byte < 0xf5)
		expect(check, 3, byte == 0xf0 ? 0x90 : 0x80, byte == 0xf4 ? 0x8f : 0xbf);
	else if (byte == 0xf8)
		expect(check, 4, 0x88, 0x87); /* five bytes: overlong, or above U+10FFFF */
	else if (byte == 0xfc)
		expect(check, 5, 0x84, 0x83); /* six bytes, the same */
	else
		return URL_UTF8_INVALID;
	return 0;
}

unsigned utf8_feed(struct utf8_check *check, unsigned byte)
{
	if (check->left == 0)
		return feed_lead(check, byte);
	if (byte < 0x80 || byte > 0xbf) {
		check->left = 0;
		return URL_UTF8_INVALID | feed_lead(check, byte);
	}
	bool overlong = byte<check->low, above = byte> check->high;
	expect(check, check->left - 1u, 0x80, 0xbf);
	return overlong ? URL_UTF8_OVERLONG : above ? URL_UTF8_INVALID : 0;
}

unsigned utf8_end(struct utf8_check *check)
{
	bool cut = check->left > 0;
	check->left = 0;
	return cut ? URL_UTF8_INVALID : 0;
}

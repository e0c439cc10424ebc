/* Whether the names of a path are ordinary to Windows, at one glance for the whole path: sixteen places at a
 * time, by vectors that the compiler makes of whatever the machine has. Trusts that the path is
 * clean; see canon.c. */
#include "url/segment.h"

typedef uint8_t block __attribute__((vector_size(16)));

enum { DEVICE_LETTERS = 3, PLACES = sizeof(block) };

static block block_at(const char *at)
{
	block bytes;
	memcpy(&bytes, at, sizeof(bytes));
	return bytes;
}

static block is_byte(block bytes, char c)
{
	return (block)(bytes == (uint8_t)c);
}

/* Of sixteen places, which are a "/" with the first letters of a device behind it, in any case: the bit
 * that lower case has makes a letter of no other byte. The letters are those of segment.c. */
static block device_starts(const char *at)
{
	const uint8_t lower = 0x20;
	block first = block_at(at + 1) | lower, second = block_at(at + 2) | lower;
	block third = block_at(at + 3) | lower;
	block con = is_byte(second, 'o') & (is_byte(third, 'n') | is_byte(third, 'm'));
	block clock = is_byte(second, 'l') & is_byte(third, 'o');
	block prn = is_byte(first, 'p') & is_byte(second, 'r') & is_byte(third, 'n');
	block aux = is_byte(first, 'a') & is_byte(second, 'u') & is_byte(third, 'x');
	block nul = is_byte(first, 'n') & is_byte(second, 'u') & is_byte(third, 'l');
	block lpt = is_byte(first, 'l') & is_byte(second, 'p') & is_byte(third, 't');
	return is_byte(block_at(at), '/') &
	       ((is_byte(first, 'c') & (con | clock)) | prn | aux | nul | lpt);
}

static bool is_any(block places)
{
	uint64_t halves[2];
	memcpy(halves, &places, sizeof(halves));
	return (halves[0] | halves[1]) != 0;
}

bool url_names_are_ordinary(struct span path)
{
	const size_t width = PLACES + DEVICE_LETTERS;
	block found = {0};
	if (path.len < width || path.ptr[path.len - 1] == '.')
		return false;
	for (size_t at = 0; path.len - at >= width; at += PLACES)
		found |= device_starts(path.ptr + at);
	/* the last places, some of them again */
	return !is_any(found | device_starts(path.ptr + path.len - width));
}

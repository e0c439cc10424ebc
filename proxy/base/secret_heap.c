/* Overwrites what is freed, by glibc's own means. These pass by the small pieces that each thread keeps aside
 * (tcache): they are taken out, and overwritten, at the end. */
#include "sallyport/secret_heap.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

enum {
	SMALLEST = 24, LARGEST = 1032, STEP = 16, /* bytes of pieces that are kept aside */
	EACH = 16, /* of a size; glibc keeps seven */
};

void secret_heap_begin(void)
{
	mallopt(M_PERTURB, 1);
}

void secret_heap_end(void)
{
	for (size_t size = SMALLEST; size <= LARGEST; size += STEP) {
		void *pieces[EACH];
		for (int i = 0; i < EACH; i++) {
			pieces[i] = malloc(size);
			if (pieces[i])
				explicit_bzero(pieces[i], size);
		}
		for (int i = 0; i < EACH; i++)
			free(pieces[i]);
	}
	mallopt(M_PERTURB, 0);
}

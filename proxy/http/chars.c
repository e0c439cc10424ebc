/* The table of byte classes that names and methods are checked by. */
#include "http/chars.h"

#define T HTTP_CLASS_TOKEN
#define P (HTTP_CLASS_TOKEN | HTTP_CLASS_PLAIN)

const uint8_t http_class[256] = {
    ['!'] = T, ['#'] = T, ['$'] = T, ['%'] = T, ['&'] = T, ['\''] = T, ['*'] = T, ['+'] = T,
    ['.'] = T, ['^'] = T, ['_'] = T, ['`'] = T, ['|'] = T, ['~'] = T, ['-'] = P,
    ['0'] = P, ['1'] = P, ['2'] = P, ['3'] = P, ['4'] = P, ['5'] = P, ['6'] = P, ['7'] = P,
    ['8'] = P, ['9'] = P,
    ['A'] = P, ['B'] = P, ['C'] = P, ['D'] = P, ['E'] = P, ['F'] = P, ['G'] = P, ['H'] = P,
    ['I'] = P, ['J'] = P, ['K'] = P, ['L'] = P, ['M'] = P, ['N'] = P, ['O'] = P, ['P'] = P,
    ['Q'] = P, ['R'] = P, ['S'] = P, ['T'] = P, ['U'] = P, ['V'] = P, ['W'] = P, ['X'] = P,
    ['Y'] = P, ['Z'] = P,
    ['a'] = P, ['b'] = P, ['c'] = P, ['d'] = P, ['e'] = P, ['f'] = P, ['g'] = P, ['h'] = P,
    ['i'] = P, ['j'] = P, ['k'] = P, ['l'] = P, ['m'] = P, ['n'] = P, ['o'] = P, ['p'] = P,
    ['q'] = P, ['r'] = P, ['s'] = P, ['t'] = P, ['u'] = P, ['v'] = P, ['w'] = P, ['x'] = P,
    ['y'] = P, ['z'] = P,
};

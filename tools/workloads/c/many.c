/* A function called many times, on integers and pointers: extra ones do no harm where the calling
   convention passes them in registers, then on a stack that the caller clears. */
#include <stdint.h>

typedef void Function(int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t,
                      int64_t, int64_t, int64_t);

void many(int64_t count, Function *f, const int64_t *a) {
    while (count-- > 0)
        f(a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8], a[9], a[10], a[11]);
}

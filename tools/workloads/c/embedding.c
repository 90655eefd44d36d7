/* The gradient of sum((table[at] - targets)^2): each thread adds to the rows of its own. */
#include <omp.h>
#include <stdint.h>
#include <string.h>

void embedding(int64_t rows, int64_t d, int64_t n, const double *restrict table,
               const int64_t *restrict at, const double *restrict targets, double *restrict grad) {
#pragma omp parallel
    {
        int64_t threads = omp_get_num_threads(), me = omp_get_thread_num();
        int64_t first = rows * me / threads, end = rows * (me + 1) / threads;
        memset(grad + first * d, 0, (end - first) * d * sizeof *grad);
        for (int64_t k = 0; k < n; k++) {
            int64_t r = at[k] < 0 ? at[k] + rows : at[k];
            if (r < first || r >= end) continue;
            const double *restrict row = table + r * d, *restrict target = targets + k * d;
            double *restrict out = grad + r * d;
#pragma omp simd
            for (int64_t j = 0; j < d; j++) out[j] += 2 * (row[j] - target[j]);
        }
    }
}

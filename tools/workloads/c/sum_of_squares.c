/* The gradient of sum(x^2). */
#include <stdint.h>

void sum_of_squares(int64_t n, const double *restrict x, double *restrict grad) {
#pragma omp parallel for simd
    for (int64_t i = 0; i < n; i++) grad[i] = 2 * x[i];
}

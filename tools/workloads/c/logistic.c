/* The gradient of a regularised logistic regression in one pass: a row that was multiplied with the
   weights is still in cache when its multiple is added to the gradient. */
#include <math.h>
#include <stdint.h>

void logistic(int64_t n, int64_t d, const double *restrict w, const double *restrict x,
              const double *restrict y, double *restrict grad) {
    for (int64_t j = 0; j < d; j++) grad[j] = 0;
#pragma omp parallel for schedule(static) reduction(+ : grad[:d])
    for (int64_t block = 0; block < n; block += 8) {
        int64_t rows = n - block < 8 ? n - block : 8;
        double r[8];
        for (int64_t i = 0; i < rows; i++) {
            const double *restrict row = x + (block + i) * d;
            double z = 0;
#pragma omp simd reduction(+ : z)
            for (int64_t j = 0; j < d; j++) z += row[j] * w[j];
            r[i] = z;
        }
        for (int64_t i = rows; i < 8; i++) r[i] = 0;
#pragma omp simd
        for (int64_t i = 0; i < 8; i++) r[i] = 1 / (1 + exp(-r[i]));
        for (int64_t i = 0; i < rows; i++) {
            const double *restrict row = x + (block + i) * d;
            double ri = r[i] - y[block + i];
#pragma omp simd
            for (int64_t j = 0; j < d; j++) grad[j] += ri * row[j];
        }
    }
    for (int64_t j = 0; j < d; j++) grad[j] = grad[j] / n + 0.02 * w[j];
}

/* The gradient of the loss of each row by itself, not regularised. */
void per_sample(int64_t n, int64_t d, const double *restrict w, const double *restrict x,
                const double *restrict y, double *restrict grad) {
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < n; i++) {
        const double *restrict row = x + i * d;
        double *restrict out = grad + i * d, z = 0;
#pragma omp simd reduction(+ : z)
        for (int64_t j = 0; j < d; j++) z += row[j] * w[j];
        double r = 1 / (1 + exp(-z)) - y[i];
#pragma omp simd
        for (int64_t j = 0; j < d; j++) out[j] = r * row[j];
    }
}

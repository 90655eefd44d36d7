/* Gradients of sum((normalised rows * gain + shift) * direction), one row at a time: its sums while
   it is in cache, then its gradient. Rows run over threads, each with sums of its own. */
#include <math.h>
#include <stdint.h>

void layernorm(int64_t n, int64_t d, const double *restrict x, const double *restrict gain,
               const double *restrict shift, const double *restrict direction,
               double *restrict dx, double *restrict dgain, double *restrict dshift) {
    for (int64_t j = 0; j < d; j++) dgain[j] = dshift[j] = 0;
#pragma omp parallel for schedule(static) reduction(+ : dgain[:d], dshift[:d])
    for (int64_t i = 0; i < n; i++) {
        const double *restrict row = x + i * d, *restrict g = direction + i * d;
        double *restrict out = dx + i * d, mean = 0, square = 0, h = 0, hx = 0;
#pragma omp simd reduction(+ : mean)
        for (int64_t j = 0; j < d; j++) mean += row[j];
        mean /= d;
#pragma omp simd reduction(+ : square, h, hx)
        for (int64_t j = 0; j < d; j++) {
            double c = row[j] - mean, t = g[j] * gain[j];
            square += c * c, h += t, hx += t * c;
        }
        double inv = 1 / sqrt(square / d + 1e-5);
        h /= d, hx *= inv * inv / d;
#pragma omp simd
        for (int64_t j = 0; j < d; j++) {
            double c = row[j] - mean;
            out[j] = inv * (g[j] * gain[j] - h - c * hx);
            dgain[j] += g[j] * c * inv;
            dshift[j] += g[j];
        }
    }
}

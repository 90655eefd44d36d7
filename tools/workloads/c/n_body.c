/* The gradient of the potential energy of bodies, softened: each pair once, for both its bodies.
   Coordinates are split, so that the loop over partners is vectors of each. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

enum { SMALL = 64 };

static void row(int64_t n, int64_t i, const double *restrict x, const double *restrict y,
                const double *restrict z, const double *restrict m, double *restrict fx,
                double *restrict fy, double *restrict fz) {
    double sx = 0, sy = 0, sz = 0;
#pragma omp simd reduction(+ : sx, sy, sz)
    for (int64_t j = i + 1; j < n; j++) {
        double dx = x[i] - x[j], dy = y[i] - y[j], dz = z[i] - z[j];
        double d2 = dx * dx + dy * dy + dz * dz + 0.01;
        double w = m[i] * m[j] / (d2 * sqrt(d2));
        sx += w * dx, sy += w * dy, sz += w * dz;
        fx[j] -= w * dx, fy[j] -= w * dy, fz[j] -= w * dz;
    }
    fx[i] += sx, fy[i] += sy, fz[i] += sz;
}

void n_body(int64_t n, const double *restrict at, const double *restrict m, double *restrict grad) {
    double *x = calloc(6 * n, sizeof *x), *y = x + n, *z = y + n, *fx = z + n, *fy = fx + n,
           *fz = fy + n;
    for (int64_t i = 0; i < n; i++) x[i] = at[3 * i], y[i] = at[3 * i + 1], z[i] = at[3 * i + 2];
    if (n < SMALL) {
        for (int64_t i = 0; i < n; i++) row(n, i, x, y, z, m, fx, fy, fz);
    } else {
#pragma omp parallel for schedule(static, 8) reduction(+ : fx[:n], fy[:n], fz[:n])
        for (int64_t i = 0; i < n; i++) row(n, i, x, y, z, m, fx, fy, fz);
    }
    for (int64_t i = 0; i < n; i++)
        grad[3 * i] = fx[i], grad[3 * i + 1] = fy[i], grad[3 * i + 2] = fz[i];
    free(x);
}

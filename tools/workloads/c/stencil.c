/* The gradient of the sum of squares of the 5-point Laplacian. Each thread keeps the Laplacian of
   three rows: the gradient of a row needs that of the row itself and of its neighbours. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Row i of the Laplacian, zero on the border; off has room for a zero at both its ends. */
static void laplacian(int64_t rows, int64_t cols, const double *restrict u, int64_t i,
                      double *restrict off) {
    if (i < 1 || i > rows - 2) {
        memset(off, 0, cols * sizeof *off);
        return;
    }
    const double *here = u + i * cols, *above = here - cols, *below = here + cols;
    off[0] = off[cols - 1] = 0;
#pragma omp simd
    for (int64_t j = 1; j < cols - 1; j++)
        off[j] = above[j] + below[j] + here[j - 1] + here[j + 1] - 4 * here[j];
}

void stencil(int64_t rows, int64_t cols, const double *restrict u, double *restrict grad) {
#pragma omp parallel
    {
        int64_t stride = cols + 16;
        double *kept = calloc(3 * stride, sizeof *kept), *row[3];
        for (int k = 0; k < 3; k++) row[k] = kept + k * stride + 8;
#pragma omp for schedule(static)
        for (int64_t block = 0; block < rows; block += 50) {
            int64_t end = block + 50 < rows ? block + 50 : rows;
            laplacian(rows, cols, u, block - 1, row[0]);
            laplacian(rows, cols, u, block, row[1]);
            for (int64_t i = block; i < end; i++) {
                laplacian(rows, cols, u, i + 1, row[2]);
                const double *restrict a = row[0], *restrict b = row[1], *restrict c = row[2];
                double *restrict out = grad + i * cols;
#pragma omp simd
                for (int64_t j = 0; j < cols; j++)
                    out[j] = 2 * (a[j] + c[j] + b[j - 1] + b[j + 1] - 4 * b[j]);
                double *oldest = row[0];
                row[0] = row[1], row[1] = row[2], row[2] = oldest;
            }
        }
        free(kept);
    }
}

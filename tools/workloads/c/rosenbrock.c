/* Rosenbrock's function, sum 100 (x[i+1] - x[i]^2)^2 + (1 - x[i])^2: its value and gradient in one
   pass, and its Hessian, which has three diagonals, times a vector. */
#include <stdint.h>

enum { SMALL = 20000 };  /* below, waking threads costs more than they bring */

static double piece(const double *restrict x, double *restrict grad, int64_t from, int64_t to) {
    double value = 0;
#pragma omp simd reduction(+ : value)
    for (int64_t i = from; i < to; i++) {
        double before = x[i] - x[i - 1] * x[i - 1], after = x[i + 1] - x[i] * x[i], u = 1 - x[i];
        value += 100 * after * after + u * u;
        grad[i] = 200 * before - 400 * x[i] * after - 2 * u;
    }
    return value;
}

void rosenbrock(int64_t n, const double *restrict x, double *restrict value, double *restrict grad) {
    double after = x[1] - x[0] * x[0], u = 1 - x[0], sum = 100 * after * after + u * u;
    grad[0] = -400 * x[0] * after - 2 * u;
    grad[n - 1] = 200 * (x[n - 1] - x[n - 2] * x[n - 2]);
    if (n < SMALL) {
        sum += piece(x, grad, 1, n - 1);
    } else {
#pragma omp parallel for reduction(+ : sum) schedule(static)
        for (int64_t from = 1; from < n - 1; from += 4096)
            sum += piece(x, grad, from, from + 4096 < n - 1 ? from + 4096 : n - 1);
    }
    *value = sum;
}

void rosenbrock_hvp(int64_t n, const double *restrict x, const double *restrict v,
                    double *restrict out) {
    out[0] = (1200 * x[0] * x[0] - 400 * x[1] + 2) * v[0] - 400 * x[0] * v[1];
    out[n - 1] = 200 * v[n - 1] - 400 * x[n - 2] * v[n - 2];
#pragma omp parallel for simd schedule(static)
    for (int64_t i = 1; i < n - 1; i++)
        out[i] = (1200 * x[i] * x[i] - 400 * x[i + 1] + 202) * v[i] - 400 * x[i] * v[i + 1]
                 - 400 * x[i - 1] * v[i - 1];
}

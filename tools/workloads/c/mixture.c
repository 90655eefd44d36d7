/* Gradients of the mean log-likelihood of a mixture of diagonal Gaussians. Eight examples make a
   vector; log-densities of all components first, then their shares, then the sums
   S0 = sum p, S1 = sum p z, S2 = sum p z^2, from which all gradients follow. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { V = 8 };
typedef double Vector __attribute__((vector_size(V * sizeof(double))));

static double total(Vector v) {
    double sum = 0;
    for (int l = 0; l < V; l++) sum += v[l];
    return sum;
}

void mixture(int64_t n, int64_t k, int64_t d, const double *restrict weights,
             const double *restrict means, const double *restrict log_scales,
             const double *restrict x, double *restrict dweights, double *restrict dmeans,
             double *restrict dlog_scales) {
    double inv[k * d], constant[k];
    for (int64_t c = 0; c < k; c++) {
        constant[c] = weights[c];
        for (int64_t j = 0; j < d; j++) {
            inv[c * d + j] = exp(-log_scales[c * d + j]);
            constant[c] -= log_scales[c * d + j];
        }
    }
    memset(dweights, 0, k * sizeof *dweights);
    memset(dmeans, 0, k * d * sizeof *dmeans);
    memset(dlog_scales, 0, k * d * sizeof *dlog_scales);
#pragma omp parallel reduction(+ : dweights[:k], dmeans[:k * d], dlog_scales[:k * d])
    {
        Vector s0[k], s1[k * d], s2[k * d], p[k], rows[d];
        memset(s0, 0, sizeof s0), memset(s1, 0, sizeof s1), memset(s2, 0, sizeof s2);
#pragma omp for schedule(static)
        for (int64_t i = 0; i < n; i += V) {
            Vector top = (Vector){0} - 1e300, sum = {0}, there = {0};
            for (int l = 0; l < V; l++) {
                int64_t example = i + l < n ? i + l : n - 1;
                there[l] = i + l < n;
                for (int64_t j = 0; j < d; j++) rows[j][l] = x[example * d + j];
            }
            for (int64_t c = 0; c < k; c++) {
                Vector square = {0};
                for (int64_t j = 0; j < d; j++) {
                    Vector z = (rows[j] - means[c * d + j]) * inv[c * d + j];
                    square += z * z;
                }
                p[c] = constant[c] - 0.5 * square;
                for (int l = 0; l < V; l++) top[l] = fmax(top[l], p[c][l]);
            }
            for (int64_t c = 0; c < k; c++) {
#pragma omp simd
                for (int l = 0; l < V; l++) p[c][l] = exp(p[c][l] - top[l]);
                sum += p[c];
            }
            there /= sum;
            for (int64_t c = 0; c < k; c++) {
                Vector share = p[c] * there;
                s0[c] += share;
                for (int64_t j = 0; j < d; j++) {
                    Vector z = (rows[j] - means[c * d + j]) * inv[c * d + j], t = share * z;
                    s1[c * d + j] += t;
                    s2[c * d + j] += t * z;
                }
            }
        }
        for (int64_t c = 0; c < k; c++) {
            double share = total(s0[c]);
            dweights[c] += share / n;
            for (int64_t j = c * d; j < (c + 1) * d; j++) {
                dmeans[j] += total(s1[j]) * inv[j] / n;
                dlog_scales[j] += (total(s2[j]) - share) / n;
            }
        }
    }
}

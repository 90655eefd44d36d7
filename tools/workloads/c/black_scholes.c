/* Delta, vega, theta and rho of European calls, by their formulas. */
#include <math.h>
#include <stdint.h>

void black_scholes(int64_t n, const double *restrict spot, const double *restrict volatility,
                   const double *restrict years, const double *restrict rate,
                   const double *restrict strike, double *restrict delta, double *restrict vega,
                   double *restrict theta, double *restrict rho) {
#pragma omp parallel for simd schedule(static)
    for (int64_t i = 0; i < n; i++) {
        double root = sqrt(years[i]), spread = volatility[i] * root;
        double d1 = (log(spot[i] / strike[i]) + rate[i] * years[i]) / spread + 0.5 * spread;
        double high = 0.5 + 0.5 * erf(d1 * M_SQRT1_2);
        double low = 0.5 + 0.5 * erf((d1 - spread) * M_SQRT1_2);
        double density = spot[i] * exp(-0.5 * d1 * d1) * 0.3989422804014327;
        double paid = strike[i] * exp(-rate[i] * years[i]) * low;
        delta[i] = high;
        vega[i] = density * root;
        theta[i] = 0.5 * density * volatility[i] / root + rate[i] * paid;
        rho[i] = years[i] * paid;
    }
}

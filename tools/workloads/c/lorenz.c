/* The gradient of |x|^2 after Runge-Kutta steps of the Lorenz system, with respect to where it
   starts and to its three constants: the steps forwards, with their stages kept, then backwards. */
#include <stdint.h>

#define H 0.01
typedef struct { double x, y, z; } Point;

static inline Point flow(Point p, const double *c) {
    return (Point){c[0] * (p.y - p.x), p.x * (c[1] - p.z) - p.y, p.x * p.y - c[2] * p.z};
}

static inline Point plus(Point p, double h, Point q) {
    return (Point){p.x + h * q.x, p.y + h * q.y, p.z + h * q.z};
}

/* The transpose of flow's derivative at p, applied to t; adds to the constants' gradient. */
static inline Point back(Point p, const double *c, Point t, double *dc) {
    dc[0] += (p.y - p.x) * t.x, dc[1] += p.x * t.y, dc[2] -= p.z * t.z;
    return (Point){-c[0] * t.x + (c[1] - p.z) * t.y + p.y * t.z, c[0] * t.x - t.y + p.x * t.z,
                   -p.x * t.y - c[2] * t.z};
}

void lorenz(int64_t steps, const double *restrict p, double *restrict grad) {
    const double c[3] = {p[3], p[4], p[5]};
    double dc[3] = {0, 0, 0};
    Point x = {p[0], p[1], p[2]}, at[steps][4];
    for (int64_t n = 0; n < steps; n++) {
        Point k1 = flow(at[n][0] = x, c);
        Point k2 = flow(at[n][1] = plus(x, H / 2, k1), c);
        Point k3 = flow(at[n][2] = plus(x, H / 2, k2), c);
        Point k4 = flow(at[n][3] = plus(x, H, k3), c);
        Point sum = plus(plus(plus(k1, 2, k2), 2, k3), 1, k4);
        x = plus(x, H / 6, sum);
    }
    Point t = {2 * x.x, 2 * x.y, 2 * x.z}, none = {0, 0, 0};
    for (int64_t n = steps; n-- > 0;) {
        Point sixth = plus(none, H / 6, t);
        Point b4 = back(at[n][3], c, sixth, dc);
        Point b3 = back(at[n][2], c, plus(plus(none, 2, sixth), H, b4), dc);
        Point b2 = back(at[n][1], c, plus(plus(none, 2, sixth), H / 2, b3), dc);
        Point b1 = back(at[n][0], c, plus(sixth, H / 2, b2), dc);
        t = plus(plus(plus(plus(t, 1, b1), 1, b2), 1, b3), 1, b4);
    }
    grad[0] = t.x, grad[1] = t.y, grad[2] = t.z;
    for (int k = 0; k < 3; k++) grad[3 + k] = dc[k];
}

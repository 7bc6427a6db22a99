// Windowed frames of clips -> what is wanted of their spectra, one pass over memory.
//
// A frame of N real samples is M = N / 2 complex ones, even and odd samples by turns, whose FFT gives the frame's (see
// `spectrogram`). That FFT has T = M / 16 threads with 16 points each. In a step of radix R (Stockham's, sorted by
// itself) a thread takes R points M / R apart, turns and transforms them, and puts them back NS apart, NS the product
// of the radices before. Between steps the points change threads through shared memory; after the last, point
// k = tid + T n is where it was before the first, in register n of thread tid.
//
// Who compiles this defines N; GROUPS of threads in a block, each at one frame at a time; BLOCKS on a multiprocessor,
// at least; POWER, 1 for magnitudes, 2 for their squares; BANDED, 1 for weighted sums of them, LANES threads for
// one; FIRST, the lowest bin that is wanted, 0 if BANDED; LOG, 1 for the logarithm, bins or bands before frames in
// memory, else frames first; GRADIENT, 1 for the way back too; FIXED, 1 if its sums have a fixed order.
//
// What sets the time is instructions and shared memory, not memory: so each case has code of its own, and addresses are
// a thread's base with constants within the instructions.

constexpr int M = N / 2, T = M / 16, THREADS = T * GROUPS;
constexpr int PADDED = M + M / 16;  // float2 of a group's points: 16 neighbours, then one unused

struct Job {
    int samples, hop, reflect;   // of a clip; between frames; mirrored at the ends, else zeros
    int frames, total;           // of a clip; of all clips
    int bins, bands;             // after the highest bin that is wanted; wanted
    float offset;                // before the logarithm
    int each;                    // frames of a block
};

__device__ __forceinline__ float2 operator+(float2 a, float2 b) { return make_float2(a.x + b.x, a.y + b.y); }
__device__ __forceinline__ float2 operator-(float2 a, float2 b) { return make_float2(a.x - b.x, a.y - b.y); }
__device__ __forceinline__ float2 operator*(float2 a, float2 b) {
    return make_float2(a.x * b.x - a.y * b.y, a.x * b.y + a.y * b.x);
}
__device__ __forceinline__ float2 turned(float2 a) { return make_float2(a.y, -a.x); }  // times -i

// Where a point lies. slot(a + b) is slot(a) + slot(b) where b is a multiple of 16, or a + b % 16 below the next one;
// written so, a constant b costs no instruction.
__device__ __forceinline__ constexpr int slot(int i) { return i + (i >> 4); }

__device__ __forceinline__ void dft2(float2& a, float2& b) {
    float2 t = a;
    a = t + b;
    b = t - b;
}

__device__ __forceinline__ void dft4(float2& a, float2& b, float2& c, float2& d) {
    float2 e = a + c, f = a - c, g = b + d, h = turned(b - d);
    a = e + g;
    b = f + h;
    c = e - g;
    d = f - h;
}

// The transform of R points in place; its value r stands at place(R, r).
__device__ __forceinline__ constexpr int place(int radix, int r) {
    return radix == 16 ? 4 * (r % 4) + r / 4 : radix == 8 ? 2 * (r % 4) + r / 4 : r;
}

template <int R>
__device__ __forceinline__ void dft(float2* v) {
    constexpr float c = 0.92387953251128674f, s = 0.38268343236508977f, h = 0.70710678118654752f;
    if constexpr (R == 2) dft2(v[0], v[1]);
    if constexpr (R == 4) dft4(v[0], v[1], v[2], v[3]);
    if constexpr (R == 8) {
        dft4(v[0], v[2], v[4], v[6]);
        dft4(v[1], v[3], v[5], v[7]);
        v[3] = v[3] * make_float2(h, -h);
        v[5] = turned(v[5]);
        v[7] = v[7] * make_float2(-h, -h);
        dft2(v[0], v[1]);
        dft2(v[2], v[3]);
        dft2(v[4], v[5]);
        dft2(v[6], v[7]);
    }
    if constexpr (R == 16) {
#pragma unroll
        for (int i = 0; i < 4; i++) dft4(v[i], v[i + 4], v[i + 8], v[i + 12]);
        v[5] = v[5] * make_float2(c, -s);
        v[6] = v[6] * make_float2(h, -h);
        v[7] = v[7] * make_float2(s, -c);
        v[9] = v[9] * make_float2(h, -h);
        v[10] = turned(v[10]);
        v[11] = v[11] * make_float2(-h, -h);
        v[13] = v[13] * make_float2(s, -c);
        v[14] = v[14] * make_float2(-h, -h);
        v[15] = v[15] * make_float2(-c, s);
#pragma unroll
        for (int i = 0; i < 16; i += 4) dft4(v[i], v[i + 1], v[i + 2], v[i + 3]);
    }
}

// The threads of one frame wait for each other.
__device__ __forceinline__ void meet(int group) {
    if constexpr (T <= 32)
        __syncwarp();
    else
        asm volatile("bar.sync %0, %1;" ::"r"(group + 1), "n"(T) : "memory");
}

// One step of radix R on all points of a frame, in registers from `points` and back to it unless it is the last.
template <int R, int NS>
__device__ __forceinline__ void step(float2* v, float2* points, const float2* __restrict__ roots, int tid, int group) {
    constexpr int EACH = 16 / R;  // transforms of a thread
#pragma unroll
    for (int q = 0; q < EACH; q++) {
        const int j = tid + q * T, low = j % NS;
        float2 u[R];
#pragma unroll
        for (int r = 0; r < R; r++) u[r] = v[q + r * EACH];
        if constexpr (NS > 1) {
            float2 w[R];
            w[1] = roots[low * (N / (NS * R))];
#pragma unroll
            for (int r = 2; r < R; r++) w[r] = r % 2 ? w[r - 1] * w[1] : w[r / 2] * w[r / 2];
#pragma unroll
            for (int r = 1; r < R; r++) u[r] = u[r] * w[r];
        }
        dft<R>(u);
        if constexpr (NS * R == M) {
#pragma unroll
            for (int r = 0; r < R; r++) v[q + r * EACH] = u[place(R, r)];
        } else {
            float2* const first = points + slot((j / NS) * NS * R + low);
#pragma unroll
            for (int r = 0; r < R; r++) first[slot(r * NS)] = u[place(R, r)];
        }
    }
    if constexpr (NS * R < M) {
        meet(group);
#pragma unroll
        for (int n = 0; n < 16; n++) v[n] = points[slot(tid) + slot(T * n)];
        meet(group);
    }
}

__device__ __forceinline__ float sample(const float* __restrict__ clip, int at, const Job& job) {
    if (job.reflect) {
        at = at < 0 ? -at : at;
        return clip[at < job.samples ? at : 2 * (job.samples - 1) - at];
    }
    return at >= 0 && at < job.samples ? clip[at] : 0.0f;
}

// The opposite of `sample`.
__device__ __forceinline__ void give(float* __restrict__ clip, int at, float value, const Job& job) {
    if (job.reflect) {
        at = at < 0 ? -at : at;
        at = at < job.samples ? at : 2 * (job.samples - 1) - at;
    }
    if (at >= 0 && at < job.samples) atomicAdd(clip + at, value);
}

__device__ __forceinline__ float root(float x) {
    float y;
    asm("sqrt.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}

__device__ __forceinline__ float squared(float2 a) { return a.x * a.x + a.y * a.y; }

// Whether the squares of some magnitudes are accurate, given those of half of a thread's bins, added up. Where another
// of its bins is 2^40 times weaker or stronger in power, rounding in the FFT hides the weaker one.
__device__ __forceinline__ bool ordinary(float sum) { return sum > 0x1p-80f && sum < 0x1p80f; }

__device__ __forceinline__ float ended(float value, const Job& job) { return LOG ? __logf(value + job.offset) : value; }

// The whole transform: point tid + T n, in register n, before and after.
__device__ __forceinline__ void transform(
    float2* v, float2* points, const float2* __restrict__ roots, int tid, int group) {
    step<16, 1>(v, points, roots, tid, group);
    step<(M < 256 ? M / 16 : 16), 16>(v, points, roots, tid, group);
    if constexpr (M > 256) step<M / 256, 256>(v, points, roots, tid, group);
}

// The upper half of the points, each where the thread finds it that holds its mirror image.
__device__ __forceinline__ void show_upper(float2* v, float2* points, int tid, int group) {
#pragma unroll
    for (int n = 8; n < 16; n++) points[slot(tid) + slot(T * (n - 8))] = v[n];
    meet(group);
}

// Of the point k = tid + T n below the middle, the one at M - k, where `show_upper` put it.
__device__ __forceinline__ float2& upper(float2* points, int tid, int n) {
    return points[T < 16 ? slot(M / 2 - tid - T * n) : slot(M / 2 - tid) - slot(T * n)];
}

// The samples of a frame, each thread's pairs, times the window.
__device__ __forceinline__ void read(
    float2* v, const float* __restrict__ clip, const float* __restrict__ window, int start, const Job& job, int tid) {
    if (start >= 0 && start + N <= job.samples) {
        if (((size_t)(clip + start) & 7) == 0) {
            const float2* pairs = (const float2*)(clip + start);
#pragma unroll
            for (int n = 0; n < 16; n++) v[n] = pairs[tid + T * n];
        } else {
            const float* alone = clip + start + 2 * tid;
#pragma unroll
            for (int n = 0; n < 16; n++) v[n] = make_float2(alone[2 * T * n], alone[2 * T * n + 1]);
        }
    } else {
#pragma unroll
        for (int n = 0; n < 16; n++) {
            const int at = start + 2 * (tid + T * n);
            v[n] = make_float2(sample(clip, at, job), sample(clip, at + 1, job));
        }
    }
#pragma unroll
    for (int n = 0; n < 16; n++) {
        const float2 w = ((const float2*)window)[tid + T * n];
        v[n] = make_float2(v[n].x * w.x, v[n].y * w.y);
    }
}

__device__ __forceinline__ constexpr bool after_first(int k) { return FIRST == 0 || k >= FIRST; }

// The values at k = tid + T n and at M - k, and that in the middle, `stride` apart, those from FIRST to below `count`.
__device__ __forceinline__ void put(
    float* to, int stride, int count, const float* low, const float* high, float middle, int tid) {
#pragma unroll
    for (int n = 0; n < 8; n++) {
        const int k = tid + T * n;
        if (after_first(k) && k < count) to[(k - FIRST) * stride] = low[n];
        if (after_first(M - k) && M - k < count) to[(M - k - FIRST) * stride] = high[n];
    }
    if (tid == 0 && after_first(M / 2) && M / 2 < count) to[(M / 2 - FIRST) * stride] = middle;
}

// The weighted sum `row` of some neighbouring values, taken in fours.
__device__ __forceinline__ float band(
    const float* values, const int* __restrict__ bands, const float4* __restrict__ weights, int row, int rows) {
    const float* some = values + bands[row];
    const float4* w = weights + row;
    float sum = 0;
    for (int i = bands[rows + row]; i > 0; i--, w += rows, some += 4)
        sum += w->x * some[0] + w->y * some[1] + w->z * some[2] + w->w * some[3];
    return sum;
}

// All bands of all the block's frames. LANES neighbouring threads share a band, each taking every LANES-th four of it:
// they read neighbouring memory, and each weight once for all the frames. In the end each adds up some of the frames.
template <class Put>
__device__ __forceinline__ void sum_bands(
    const float4* spectra, const int2* __restrict__ runs, const float4* __restrict__ weights, int count, Put put) {
    for (int s = threadIdx.x; (s & -32) < count * LANES; s += THREADS) {  // by whole warps, which exchange sums
        const int b = s / LANES, lane = s % LANES;
        const int2 run = runs[min(b, count - 1)];
        const float4 *some = spectra + run.x + lane, *w = weights + s;
        float sums[GROUPS];
#pragma unroll
        for (int g = 0; g < GROUPS; g++) sums[g] = 0;
#pragma unroll 1
        for (int i = b < count ? run.y - lane : 0; i > 0; i -= LANES, some += LANES, w += count * LANES) {
#pragma unroll
            for (int g = 0; g < GROUPS; g++) {
                const float4 a = some[g * (PADDED / 2)];
                sums[g] += w->x * a.x + w->y * a.y + w->z * a.z + w->w * a.w;
            }
        }
        int first = 0;
#pragma unroll
        for (int apart = 1; apart < LANES; apart *= 2) {  // half of the frames go to another lane while there are two
            const int half = GROUPS / (2 * apart);
            const bool upper = lane & apart;
            if (!half) sums[0] += __shfl_xor_sync(~0u, sums[0], apart);
#pragma unroll
            for (int g = 0; g < half; g++) {
                const float other = __shfl_xor_sync(~0u, upper ? sums[g] : sums[g + half], apart);
                sums[g] = (upper ? sums[g + half] : sums[g]) + other;
            }
            first += upper ? half : 0;
        }
        if (b < count) {
#pragma unroll
            for (int g = 0; g < (GROUPS > LANES ? GROUPS / LANES : 1); g++) put(b, first + g, sums[g]);
        }
    }
}

struct Ends { float2 low, high; };  // X[k] and X[M - k], k = tid + T n

// Z[k] and Z[M - k] give X[k] and X[M - k]: the even samples' transform is E = (Z[k] + conj Z[M - k]) / 2, the odd
// ones' O = (Z[k] - conj Z[M - k]) / 2i, and X[k] = E + exp(-2 pi i k / N) O. The window did the halving.
__device__ __forceinline__ Ends ends(float2 z, float2* points, const float2* __restrict__ roots, int tid, int n) {
    const int k = tid + T * n;
    const float2 other = upper(points, tid, n), mirror = k ? other : z;
    const float2 even = make_float2(z.x + mirror.x, z.y - mirror.y);
    const float2 odd = make_float2(z.y + mirror.y, mirror.x - z.x) * roots[k];
    return {even + odd, even - odd};
}

extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS) spectrogram(
    const float* __restrict__ audio,     // (clips, samples)
    const float* __restrict__ window,    // (N,), halved
    const float2* __restrict__ roots,    // (N,) exp(-2 pi i k / N)
    const int2* __restrict__ runs,       // (bands,): each one's first four bins, and how many fours
    const float4* __restrict__ weights,  // (most fours of a lane, bands * LANES)
    float* __restrict__ out, const Job job) {
    extern __shared__ __align__(16) float2 shared[];
    const int tid = threadIdx.x % T, group = threadIdx.x / T, first = blockIdx.x * job.each;
    const int values = BANDED ? job.bands : job.bins - FIRST, row = job.each | 1;  // odd against bank conflicts
    float2* points = shared + group * PADDED;
    float* spectrum = (float*)points;  // of a frame, once its points are no longer needed
    float* tile = (float*)(shared + GROUPS * PADDED);
#pragma unroll 1
    for (int done = 0; done < job.each; done += GROUPS) {  // past the end, the last frame again
        const int f = done + group, frame = min(first + f, job.total - 1), clip = frame / job.frames;
        asm volatile("" : "+l"(window), "+l"(roots));  // not to keep what they hold for the next frame: it spills
        float2 v[16];
        const int start = (frame - clip * job.frames) * job.hop - M;
        read(v, audio + (long long)clip * job.samples, window, start, job, tid);
        transform(v, points, roots, tid, group);
        show_upper(v, points, tid, group);
        float low[8], high[8], middle = squared(v[8] + v[8]), sum = 0;
#pragma unroll
        for (int n = 0; n < 8; n++) {
            const Ends x = ends(v[n], points, roots, tid, n);
            low[n] = squared(x.low), high[n] = squared(x.high), sum += low[n];
        }
        if constexpr (POWER == 1) {
            if (ordinary(sum)) {
                middle = root(middle);
#pragma unroll
                for (int n = 0; n < 8; n++) low[n] = root(low[n]), high[n] = root(high[n]);
            } else {  // silence, too
                middle = hypotf(v[8].x + v[8].x, v[8].y + v[8].y);
#pragma unroll
                for (int n = 0; n < 8; n++) {
                    const Ends x = ends(v[n], points, roots, tid, n);
                    low[n] = hypotf(x.low.x, x.low.y), high[n] = hypotf(x.high.x, x.high.y);
                }
            }
        }
        if constexpr (BANDED) {
            meet(group);
            put(spectrum, 1, M + 1, low, high, middle, tid);  // the last four ends in some of the points, times 0
            __syncthreads();
            sum_bands((const float4*)shared, runs, weights, job.bands, [&](int b, int g, float value) {
                if constexpr (LOG)
                    tile[b * row + done + g] = ended(value, job);
                else
                    out[(long long)min(first + done + g, job.total - 1) * values + b] = value;
            });
            __syncthreads();
        } else if constexpr (LOG) {
#pragma unroll
            for (int n = 0; n < 8; n++) low[n] = ended(low[n], job), high[n] = ended(high[n], job);
            put(tile + f, row, job.bins, low, high, ended(middle, job), tid);
            meet(group);
        } else {
            put(out + (long long)frame * values, 1, job.bins, low, high, middle, tid);
            meet(group);
        }
    }
    if constexpr (LOG) {
        __syncthreads();
        const int f = threadIdx.x % job.each, frame = first + f, clip = frame / job.frames, aside = THREADS / job.each;
        const int value = threadIdx.x / job.each;
        if (frame >= job.total || value >= aside) return;
        float* to = out + ((long long)clip * values + value) * job.frames + frame - clip * job.frames;
        for (int i = value; i < values; i += aside, to += (long long)aside * job.frames) *to = tile[i * row + f];
    }
}

#if GRADIENT
// The gradient by one value of a frame's spectrum: of the bin itself, or what its bands pass on to it.
__device__ __forceinline__ float slope(
    const float* __restrict__ by_values, long long stride, const float* by_bands, const int* __restrict__ bands,
    const float4* __restrict__ weights, int k, const Job& job) {
    if constexpr (BANDED) return band(by_bands, bands, weights, k, M + 1);
    return after_first(k) && k < job.bins ? by_values[(k - FIRST) * stride] : 0.0f;
}

// What turns X[k] into the gradient by it, given that by its power or magnitude.
__device__ __forceinline__ float pulled(float2 x, float by) {
    if constexpr (POWER == 2) return 2 * by;
    const float square = squared(x);
    if (square > 0x1p-100f && square < 0x1p100f) return by * rsqrtf(square);
    const float magnitude = hypotf(x.x, x.y);
    return magnitude > 0 ? by / fmaxf(magnitude, 0x1p-126f) : 0.0f;
}

// Adds to the gradient by the audio what each frame passes back. A real frame's gradient is the sum over k = 0 .. M of
// Re G[k] exp(2 pi i k n / N), G[k] = c X[k], c real. That is an inverse transform of Y[k] = G[k] / 2 (G[0] and G[M]
// whole) with its mirror image, by M points S + Q and conj(S - Q) at k and M - k, S = Y[k] + conj Y[M - k] and
// Q = i exp(2 pi i k / N) (Y[k] - conj Y[M - k]): conjugated, transformed and conjugated again.
extern "C" __global__ void __launch_bounds__(THREADS, 2) gradient(
    const float* __restrict__ audio, const float* __restrict__ window, const float2* __restrict__ roots,
    const int* __restrict__ bands,       // (2, M + 1): each bin's first band and its bands, in fours
    const float4* __restrict__ weights,  // (most fours of a bin, M + 1)
    const float* __restrict__ by_values, long long clip_stride, long long value_stride, long long frame_stride,
    float* __restrict__ out,             // (clips, samples), to which is added; FIXED: (frames, N), each frame's own
    const Job job) {
    extern __shared__ float2 shared[];
    const int tid = threadIdx.x % T, group = threadIdx.x / T, first = blockIdx.x * job.each;
    float2* points = shared + group * PADDED;
    float* by_bands = (float*)(shared + GROUPS * PADDED) + group * (job.bands + 4);
    // Some threads may leave this loop before others of their warp: no barrier may follow it.
#pragma unroll 1
    for (int f = group; f < job.each && first + f < job.total; f += GROUPS) {
        const int frame = first + f, clip = frame / job.frames, t = frame - clip * job.frames;
        const float* by = by_values + clip * clip_stride + t * frame_stride;
        float2 v[16];
        read(v, audio + (long long)clip * job.samples, window, t * job.hop - M, job, tid);
        if constexpr (BANDED)
            for (int b = tid; b < job.bands + 4; b += T) by_bands[b] = b < job.bands ? by[b * value_stride] : 0.0f;
        transform(v, points, roots, tid, group);
        show_upper(v, points, tid, group);
#pragma unroll
        for (int n = 0; n < 8; n++) {
            const int k = tid + T * n;
            const float2 z = v[n], other = upper(points, tid, n), mirror = k ? other : z, w = roots[k];
            const float2 even = make_float2(z.x + mirror.x, z.y - mirror.y);
            const float2 odd = make_float2(z.y + mirror.y, mirror.x - z.x) * w;
            const float2 x = even + odd, y = even - odd;  // X[k] and conj X[M - k]
            const float half = k ? 0.5f : 1.0f;
            const float c = half * pulled(x, slope(by, value_stride, by_bands, bands, weights, k, job));
            const float d = half * pulled(y, slope(by, value_stride, by_bands, bands, weights, M - k, job));
            const float2 s = make_float2(c * x.x + d * y.x, c * x.y + d * y.y);
            const float2 difference = make_float2(c * x.x - d * y.x, c * x.y - d * y.y);
            const float2 q = make_float2(w.y, w.x) * difference;  // i conj w = (w.y, w.x)
            v[n] = make_float2(s.x + q.x, -s.y - q.y);
            if (k) upper(points, tid, n) = s - q;
        }
        if (tid == 0) {
            const float2 x = make_float2(2 * v[8].x, -2 * v[8].y);
            const float c = pulled(x, slope(by, value_stride, by_bands, bands, weights, M / 2, job));
            points[0] = make_float2(c * x.x, c * x.y);
        }
        meet(group);
#pragma unroll
        for (int n = 8; n < 16; n++) v[n] = points[slot(tid) + slot(T * (n - 8))];
        meet(group);
        transform(v, points, roots, tid, group);
        float* back = FIXED ? out + (long long)frame * N : out + (long long)clip * job.samples;
#pragma unroll
        for (int n = 0; n < 16; n++) {
            const int at = 2 * (tid + T * n);
            const float2 w = ((const float2*)window)[tid + T * n];
            const float even = 2 * w.x * v[n].x, odd = -2 * w.y * v[n].y;
            if constexpr (FIXED) {
                back[at] = even, back[at + 1] = odd;
            } else {
                give(back, t * job.hop - M + at, even, job);
                give(back, t * job.hop - M + at + 1, odd, job);
            }
        }
    }
}
#endif

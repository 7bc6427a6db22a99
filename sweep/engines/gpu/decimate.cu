// Clips at a lower rate: low-passed, one sample in FACTOR kept, cut into blocks, one pass over memory.
//
// With h the low-pass, cut into segments of FACTOR taps, output o of a block is sum over s, i of h[s][i] times sample
// (o + s) FACTOR + i. A thread computes R neighbouring outputs, which share their samples: it goes through them with i
// fixed (VEC neighbours at a time), and the tap that an output has needed the next one needs then, so each sample and
// each tap is read from shared memory once for R VEC products.
//
// Who compiles this defines FACTOR, a power of 2 from 2 on, and THREADS of a block.

constexpr int R = 8, VEC = FACTOR < 4 ? 2 : 4, TILE = THREADS * R;

struct __align__(4 * VEC) Some {
    float v[VEC];
};

struct Job {
    int length, blocks, advance, before;  // of a clip; of one clip; samples between their starts; ahead of the first
    int wanted, points;                   // outputs of a block that are not zero; outputs
    int rounds;                           // of R segments, that a thread's outputs need together; zeros fill up the taps
};

// Where a sample lies: after those that one thread begins with, VEC stay unused, so that no two threads' collide.
__device__ __forceinline__ constexpr int place(int i) { return i + i / (R * FACTOR) * VEC; }

// The products of R segments. Of the first round an output needs what comes after its own beginning, of the last what is
// left for it: the taps of the round before.
template <bool FIRST, bool LAST>
__device__ __forceinline__ void multiply(const float* samples, const float* taps, Some* tap, float* sums) {
#pragma unroll
    for (int s = 0; s < R - LAST; s++) {
        const Some sample = *(const Some*)(samples + s * FACTOR);
        if constexpr (!LAST) tap[s] = *(const Some*)(taps + s * FACTOR);
#pragma unroll
        for (int r = LAST ? s + 1 : 0; r < (FIRST ? s + 1 : R); r++)
#pragma unroll
            for (int k = 0; k < VEC; k++) sums[r] += tap[(s - r + R) % R].v[k] * sample.v[k];
    }
}

extern "C" __global__ void __launch_bounds__(THREADS)
    decimate(const float* __restrict__ x, const float* __restrict__ taps, float* __restrict__ out, const Job job) {
    extern __shared__ __align__(16) float shared[];
    const int tiles = (job.points + TILE - 1) / TILE, block = blockIdx.x / tiles, first = blockIdx.x % tiles * TILE;
    const int samples = (TILE - R + job.rounds * R) * FACTOR, thread = threadIdx.x;
    float* own_taps = shared + place(samples);
    float* to = out + (long long)block * job.points + first;
    if (first >= job.wanted) {
        for (int i = thread; i < TILE && first + i < job.points; i += THREADS) to[i] = 0.0f;
        return;
    }

    const float* clip = x + (long long)(block / job.blocks) * job.length;
    const int start = block % job.blocks * job.advance + first * FACTOR - job.before;
#pragma unroll 16  // many loads on their way: ms for the paper's clips, factor 8, with 1, 4, 16: 1.20, 0.76, 0.64
    for (int i = thread; i < samples; i += THREADS) {
        const int at = start + i;
        shared[place(i)] = at >= 0 && at < job.length ? clip[at] : 0.0f;
    }
    for (int i = thread; i < (job.rounds - 1) * R * FACTOR; i += THREADS) own_taps[i] = taps[i];
    __syncthreads();

    float sums[R] = {};
    const float* own = shared + place(thread * R * FACTOR);
    for (int i = 0; i < FACTOR; i += VEC) {
        Some tap[R];  // of segment s, in tap[s % R]
        multiply<true, false>(own + i, own_taps + i, tap, sums);
        for (int round = 1; round < job.rounds - 1; round++)
            multiply<false, false>(own + place(R * FACTOR) * round + i, own_taps + R * FACTOR * round + i, tap, sums);
        multiply<false, true>(own + place(R * FACTOR) * (job.rounds - 1) + i, nullptr, tap, sums);
    }

    __syncthreads();  // the samples have been read: now outputs change threads, for neighbours to be stored together
#pragma unroll
    for (int r = 0; r < R; r++) shared[thread * (R + 1) + r] = sums[r];
    __syncthreads();
    for (int i = thread; i < TILE && first + i < job.points; i += THREADS)
        to[i] = first + i < job.wanted ? shared[i + i / R] : 0.0f;
}

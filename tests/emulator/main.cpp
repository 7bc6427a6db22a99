// Runs a kernel of sweep/engines/fft.cu on the host, block after block, with one thread for each of the GPU's.
#include <algorithm>
#include <barrier>
#include <cmath>
#include <memory>
#include <mutex>
#include <thread>
#include <unistd.h>
#include <vector>

#define __device__
#define __forceinline__ inline
#define __global__
#define __restrict__
#define __launch_bounds__(threads, blocks)

struct float2 {
    float x, y;
};
struct float4 {
    float x, y, z, w;
};
struct int2 {
    int x, y;
};
struct Index {
    int x;
};

static float2* emulated_shared;
static std::vector<std::unique_ptr<std::barrier<>>> groups;
static std::unique_ptr<std::barrier<>> block;
static std::mutex adding;
static std::vector<std::unique_ptr<std::barrier<>>> warps;
static std::vector<float> passed;
thread_local Index threadIdx, blockIdx;

float2 make_float2(float x, float y) { return {x, y}; }
int min(int a, int b) { return std::min(a, b); }
float rsqrtf(float x) { return 1.0f / std::sqrt(x); }
void __syncthreads() { block->arrive_and_wait(); }
void emulated_meet(int group) { groups[group]->arrive_and_wait(); }

void atomicAdd(float* to, float value) {
    std::lock_guard<std::mutex> lock(adding);
    *to += value;
}

// The threads of a warp, all of them, exchange values.
float __shfl_xor_sync(unsigned mask, float value, int apart) {
    if (mask != ~0u) std::abort();
    std::barrier<>& warp = *warps[threadIdx.x / 32];
    passed[threadIdx.x] = value;
    warp.arrive_and_wait();
    const float theirs = passed[threadIdx.x ^ apart];
    warp.arrive_and_wait();
    return theirs;
}

#include "kernel.inc"

template <class Kernel>
void run(int blocks, int shared_bytes, Kernel kernel) {
    std::vector<float2> shared(shared_bytes / sizeof(float2) + 1, make_float2(NAN, NAN));  // as a GPU leaves it: anything
    emulated_shared = shared.data();
    alarm(100);  // threads that wait for one that never comes end the process
    for (int b = 0; b < blocks; b++) {
        groups.clear();
        for (int g = 0; g < GROUPS; g++) groups.emplace_back(new std::barrier<>(T));
        warps.clear();
        for (int t = 0; t < THREADS; t += 32) warps.emplace_back(new std::barrier<>(std::min(32, THREADS - t)));
        passed.resize(THREADS);
        block.reset(new std::barrier<>(THREADS));
        std::vector<std::thread> threads;
        for (int t = 0; t < THREADS; t++)
            threads.emplace_back([&, t] {
                threadIdx.x = t;
                blockIdx.x = b;
                kernel();
                block->arrive_and_drop();
            });
        for (auto& thread : threads) thread.join();
    }
    alarm(0);
}

extern "C" void run_spectrogram(
    int blocks, int shared_bytes, const float* audio, const float* window, const float2* roots, const int2* runs,
    const float4* weights, float* out, const Job* job) {
    run(blocks, shared_bytes, [&] { spectrogram(audio, window, roots, runs, weights, out, *job); });
}

extern "C" void run_gradient(
    int blocks, int shared_bytes, const float* audio, const float* window, const float2* roots, const int* bands,
    const float4* weights, const float* by_values, long long clip_stride, long long value_stride, long long frame_stride,
    float* out, const Job* job) {
    run(blocks, shared_bytes, [&] {
        gradient(
            audio, window, roots, bands, weights, by_values, clip_stride, value_stride, frame_stride, out, *job);
    });
}

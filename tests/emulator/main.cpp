// Runs a kernel of sweep/engines/fft.cu on the host, block after block, with one thread for each of the GPU's.
#include <algorithm>
#include <barrier>
#include <cmath>
#include <memory>
#include <mutex>
#include <thread>
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
struct Index {
    int x;
};

static float2* emulated_shared;
static std::vector<std::unique_ptr<std::barrier<>>> groups;
static std::unique_ptr<std::barrier<>> block;
static std::mutex adding;
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

#include "kernel.inc"

template <class Kernel>
void run(int blocks, int shared_bytes, Kernel kernel) {
    std::vector<float2> shared(shared_bytes / sizeof(float2) + 1, make_float2(NAN, NAN));  // as a GPU leaves it: anything
    emulated_shared = shared.data();
    for (int b = 0; b < blocks; b++) {
        groups.clear();
        for (int g = 0; g < GROUPS; g++) groups.emplace_back(new std::barrier<>(T));
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
}

extern "C" void run_spectrogram(
    int blocks, int shared_bytes, const float* audio, const float* window, const float2* roots, const int* bands,
    const float4* weights, float* out, const Job* job) {
    run(blocks, shared_bytes, [&] { spectrogram(audio, window, roots, bands, weights, out, *job); });
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

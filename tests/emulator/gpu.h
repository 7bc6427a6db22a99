// What CUDA C asks of a GPU, on the host: block after block, with one thread for each of the GPU's.
#pragma once
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
#define __launch_bounds__(...)
#define __align__(bytes) __attribute__((aligned(bytes)))

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

template <class Kernel>
void run(int blocks, int threads, int n_groups, int shared_bytes, Kernel kernel) {  // barriers also for each group
    std::vector<float2> shared(shared_bytes / sizeof(float2) + 1, make_float2(NAN, NAN));  // as a GPU leaves it: anything
    emulated_shared = shared.data();
    alarm(100);  // threads that wait for one that never comes end the process
    for (int b = 0; b < blocks; b++) {
        groups.clear();
        for (int g = 0; g < n_groups; g++) groups.emplace_back(new std::barrier<>(threads / n_groups));
        warps.clear();
        for (int t = 0; t < threads; t += 32) warps.emplace_back(new std::barrier<>(std::min(32, threads - t)));
        passed.resize(threads);
        block.reset(new std::barrier<>(threads));
        std::vector<std::thread> running;
        for (int t = 0; t < threads; t++)
            running.emplace_back([&, t] {
                threadIdx.x = t;
                blockIdx.x = b;
                kernel();
                block->arrive_and_drop();
            });
        for (auto& thread : running) thread.join();
    }
    alarm(0);
}

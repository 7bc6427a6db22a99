// Runs the kernels of sweep/engines/gpu/fft.cu.
#include "gpu.h"
#include "kernel.inc"

extern "C" void run_spectrogram(
    int blocks, int shared_bytes, const float* audio, const float* window, const float2* roots, const int2* runs,
    const float4* weights, float* out, const Job* job) {
    run(blocks, THREADS, GROUPS, shared_bytes, [&] { spectrogram(audio, window, roots, runs, weights, out, *job); });
}

extern "C" void run_gradient(
    int blocks, int shared_bytes, const float* audio, const float* window, const float2* roots, const int* bands,
    const float4* weights, const float* by_values, long long clip_stride, long long value_stride, long long frame_stride,
    float* out, const Job* job) {
    run(blocks, THREADS, GROUPS, shared_bytes, [&] {
        gradient(
            audio, window, roots, bands, weights, by_values, clip_stride, value_stride, frame_stride, out, *job);
    });
}

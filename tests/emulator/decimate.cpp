// Runs the kernel of sweep/engines/gpu/decimate.cu.
#include "gpu.h"
#include "kernel.inc"

extern "C" void run_decimate(
    int blocks, int shared_bytes, const float* x, const float* taps, float* out, const Job* job) {
    run(blocks, THREADS, 1, shared_bytes, [&] { decimate(x, taps, out, *job); });
}

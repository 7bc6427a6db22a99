"""What the engines run on CUDA alone: kernels in Triton and in CUDA C, and what launches them.

Triton's are in `kernels` and `kernels_back`, launched by `fused`; those in CUDA C, fft.cu and decimate.cu, are launched
by the module beside each and compiled by `nvrtc`.
"""

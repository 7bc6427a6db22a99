"""The engines' GPU kernels in Triton and CUDA C, and the functions that launch them.

`fused` launches the Triton kernels of `kernels` and `kernels_back`. The CUDA C files fft.cu and decimate.cu are
compiled by `nvrtc` and launched by the modules of the same names.
"""

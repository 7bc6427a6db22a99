"""Adam whose step on CUDA is one Triton kernel per tensor, with enough programs to keep the GPU busy."""

import math

import torch

from sweep.engines.gpu.kernels import triton

# Weights per program. torch's fused GPU kernel takes 65,536, so that half a million weights keep only nine of an H100's
# 132 multiprocessors busy. Microseconds there for 0.5, 2.2 and 8.7 million weights: torch 28, 37, 90; with 1,024 per
# program 4.3, 15, 85; 2,048 4.7, 13, 85; 4,096 6.2, 15, 85. Memory bandwidth limits the last ones.
_WEIGHTS = 2048

if triton is not None:  # without Triton, torch's own step is used
    import triton.language as tl

    @triton.jit(do_not_specialize=["rate"])  # its address may or may not be aligned: one compilation, not two
    def _update(
        weights, gradient, mean, square, step, rate, n, beta2, rest1, rest2, log1, log2, epsilon, SIZE: tl.constexpr
    ):
        at = tl.program_id(0).to(tl.int64) * SIZE + tl.arange(0, SIZE)
        inside = at < n
        g = tl.load(gradient + at, mask=inside, other=0.0)
        m = tl.load(mean + at, mask=inside, other=0.0)
        v = tl.load(square + at, mask=inside, other=0.0)
        m += (g - m) * rest1
        v = v * beta2 + g * g * rest2
        tl.store(mean + at, m, mask=inside)
        tl.store(square + at, v, mask=inside)
        # In float64: at the first steps 1 - beta2^step is a small difference.
        t = tl.load(step)
        first, second = 1 - tl.exp((t * log1).to(tl.float64)), 1 - tl.exp((t * log2).to(tl.float64))
        size = tl.load(rate) / first.to(tl.float32)
        w = tl.load(weights + at, mask=inside, other=0.0)
        w -= size * m / (tl.sqrt(v) / tl.sqrt(second.to(tl.float32)) + epsilon)
        tl.store(weights + at, w, mask=inside)


def _serves(weights: torch.nn.Parameter) -> bool:
    tensors = (weights,) if weights.grad is None else (weights, weights.grad)
    return all(t.is_cuda and t.dtype == torch.float32 and t.is_contiguous() for t in tensors)


class Adam(torch.optim.Adam):
    """torch.optim.Adam (Kingma & Ba 2015) with the same state, one GPU kernel per tensor and a rate that may be one."""

    @torch.no_grad()
    def step(self, closure=None):
        plain = not any(group[key] for group in self.param_groups for key in ("weight_decay", "amsgrad", "maximize"))
        trained = [(weights, group) for group in self.param_groups for weights in group["params"]]
        if triton is None or not plain or not all(_serves(weights) for weights, _ in trained):
            return super().step(closure)
        for weights, group in trained:
            if weights.grad is None:
                continue
            state = self.state[weights]
            if not state:
                state["step"] = torch.zeros((), device=weights.device)
                state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(weights), torch.zeros_like(weights)
            state["step"] += 1
            rate = torch.as_tensor(group["lr"], dtype=torch.float32, device=weights.device)
            n, (beta1, beta2) = weights.numel(), group["betas"]
            _update[(triton.cdiv(n, _WEIGHTS),)](
                weights, weights.grad, state["exp_avg"], state["exp_avg_sq"], state["step"], rate, n,
                beta2, 1 - beta1, 1 - beta2, math.log(beta1), math.log(beta2), group["eps"], SIZE=_WEIGHTS,
            )  # fmt: skip

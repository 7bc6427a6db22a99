"""The base class of all front-ends: leading dimensions, precision, logarithm and freezing."""

import copy
import math
from typing import Self

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from sweep.checks import check_choice
from sweep.engines import ACCURACIES
from sweep.engines.derivatives import traced
from sweep.engines.engine import Engine
from sweep.engines.finish import Finish
from sweep.engines.magnitudes import OutOfRange, scales, unscaled
from sweep.engines.sampled import Sampled
from sweep.filters import Kernels
from sweep.transforms import recorded
from sweep.transforms.operators import named, operand, sized

OUTPUTS = ("magnitude", "power", "complex", "phase")


class Transform(nn.Module):
    """A front-end: (..., samples) -> (..., [channels,] bins, frames).

    Frame t is centred on sample t hop_length, so there are 1 + samples // hop_length of them; where `whole` is given,
    only frames that lie whole in the clip count, and frame 0 begins with the clip.

    Computes in float64 for float64 input and otherwise in float32, under autocast too. A subclass gives
    `spectrogram`, from (batch, samples) to (batch, [channels,] bins, frames), and `engine`, which evaluates its
    kernels. `engine` is None where torch's FFT, the fused GPU kernel or code of its own is used, which `_describe_fft`
    then describes.

    Args:
        hop_length: samples between frames.
        frequencies: centre of each bin in Hz, (bins,) float64.
        context: samples that the longest kernel covers.
        whole: samples of a frame before its centre and behind it, if only whole frames count; None: centred frames.

    Attributes:
        center: whether frames are centred on the multiples of hop_length.
        n_bins: number of bins of the output.
        n_channels: number of channels of the output; 1: it has no dimension for them.
        hop_length: samples between frames.
        frequencies: centre of each bin in Hz, (n_bins,) float64.
        context: samples that the longest kernel covers.
    """

    engine: Engine | None
    exponent: float | tuple[float, ...] = 1  # of the magnitude, in the output or in each of its channels
    n_channels: int = 1
    output: str = "magnitude"  # one of OUTPUTS
    many_launches: bool = False  # whether it launches several GPU kernels on CUDA, and nothing but clips changes them
    kernels_last: bool = False  # whether nothing but a choice of frames follows its GPU kernels, if they serve
    frames_first: bool = False  # whether frames precede bins in memory, unless a logarithm is taken

    def __init__(self, *, hop_length: int, frequencies: np.ndarray, context: int, whole: tuple[int, int] | None = None):
        super().__init__()
        self.engine = None
        self.n_bins = len(frequencies)
        self.hop_length = hop_length
        self.frequencies = frequencies
        self.context = context
        self.center, self._whole = whole is None, whole
        self._name, self._recorder = named(self), recorded.Recorder()

    def __setstate__(self, state: dict) -> None:
        super().__setstate__(state)
        self._name, self._recorder = named(self), recorded.Recorder()  # a copy's own

    def forward(self, waveform: torch.Tensor) -> torch.Tensor:
        return self._run(waveform, None)

    def log(self, waveform: torch.Tensor, offset: float) -> torch.Tensor:
        """Compute log(spectrogram + offset), in one pass where a fused GPU kernel serves.

        Raises:
            ValueError: the output is complex, or a phase.
        """
        if self.output in ("complex", "phase"):
            raise ValueError(f'output {self.output!r} has no logarithm here; choose output="magnitude" or "power"')
        return self._run(waveform, offset)

    def frozen(self, accuracy: str = "high") -> Self:
        """Return a copy of a trainable front-end with its current kernels, without parameters and evaluated fast.

        Args:
            accuracy: accuracy of the copy; "fast" lets CUDA's products round their factors to TF32.

        Raises:
            ValueError: no part of the front-end is trainable.
        """
        check_choice("accuracy", accuracy, ACCURACIES)
        if not any(True for _ in self.parameters()):
            raise ValueError(f"{type(self).__name__}.frozen: it has no parameters; use it as it is")
        frozen = copy.deepcopy(self)
        if self.engine is not None:
            frozen.engine = frozen.engine.frozen(ACCURACIES[accuracy][1])
        return frozen

    def engine_on(self, device: str | torch.device) -> str:
        """Say which engine evaluates float32 clips on a device, and why.

        Args:
            device: "cpu", "cuda" or any other device; it need not be present.

        Returns:
            A name and a reason, joined by "; " if bins use several engines: "banded: all kernels have 2,048 samples,
            from 1,024 on a CPU".
        """
        device = torch.device(device)
        return self._describe_fft(device) if self.engine is None else self.engine.describe(device)

    def multiply_adds(self, samples: int) -> float:
        """Return how many real multiply-adds a clip of so many samples takes on a CPU (`Engine.multiply_adds`)."""
        spectrum = self._fft_multiply_adds(samples) if self.engine is None else self.engine.multiply_adds(samples)
        return spectrum + 2 * self.n_channels * self.n_bins * self.n_frames(samples)

    def n_frames(self, samples: int) -> int:
        """Return the number of frames of a clip of so many samples.

        Raises:
            ValueError: center is False, and the clip is shorter than a frame.
        """
        if self._whole is None:
            return 1 + samples // self.hop_length
        length = sum(self._whole) + 1
        if samples < length:
            raise ValueError(
                f"a clip of {samples} samples holds no whole frame of {length}; choose a longer clip, or center=True"
            )
        return 1 + (samples - length) // self.hop_length

    def _fft_multiply_adds(self, samples: int) -> float:
        """Return the multiply-adds of the complex spectrum where `engine` is None; here products, as PyTorch counts."""
        from torch.utils.flop_counter import FlopCounterMode  # imports much of torch

        with FlopCounterMode(display=False) as counter:
            self.spectrogram(torch.zeros(1, samples), None)
        return counter.get_total_flops() / 2

    def trainable_kernels(self) -> Kernels | Sampled | None:
        """Return the untrained bank whose taps are parameters, or follow from some; None if no taps are trained."""
        return self.engine.kernels if self.engine is not None and self.engine.trainable else None

    def kernel(self, bin: int) -> tuple[int, np.ndarray]:
        """Return a trainable kernel with its current taps.

        Returns:
            The kernel's first lag in samples, and its complex128 taps from there on.

        Raises:
            ValueError: no taps are trainable.
            IndexError: there is no such bin.
        """
        bank = self.trainable_kernels()
        if bank is None:
            raise ValueError(f"{type(self).__name__}.kernel: no taps are parameters; choose trainable=True")
        if not 0 <= bin < len(bank):
            raise IndexError(f"{type(self).__name__}.kernel: no bin {bin}; choose one of 0 to {len(bank) - 1}")
        return self._kernel(bin)

    def _kernel(self, bin: int) -> tuple[int, np.ndarray]:
        return self.engine.kernel(bin)

    def trainable_bank(self) -> torch.Tensor | None:
        """Return the Mel bank's current weights, (bands, FFT bins), if they are parameters; else None."""
        return None

    def _run(self, waveform: torch.Tensor, offset: float | None) -> torch.Tensor:
        check_tensor("waveform", waveform)
        if waveform.ndim < 1 or waveform.shape[-1] < 1:
            raise ValueError(f"waveform of shape {tuple(waveform.shape)}: needs (..., samples), at least one sample")
        if waveform.is_complex():
            raise ValueError(f"waveform of type {waveform.dtype}: needs real samples; choose waveform.real or .abs()")
        if torch.compiler.is_compiling() and (name := operand(self._name)):
            return torch.ops.sweep.front_end(waveform, name, offset)
        x = waveform if waveform.dtype == torch.float64 else waveform.float()
        if x.ndim != 2:
            y = self._run(x.reshape(math.prod(x.shape[:-1]), x.shape[-1]), offset)
            return y.reshape(*waveform.shape[:-1], *y.shape[1:])
        if x.shape[0] == 0:  # none of one clip: of the type, the device and the graph that some would have
            return self._run(torch.cat([x, x.new_zeros(1, x.shape[-1])]), offset)[:0]
        if x.is_cuda and not torch.compiler.is_compiling():
            x = x.resolve_neg()  # GPU kernels read memory as it is
            if torch.cuda.current_device() != x.device.index:  # entering a context takes as long as a launch
                with torch.cuda.device(x.device):  # Triton launches on the current device
                    return self._run(x, offset)
        if x.is_meta or not torch.is_autocast_enabled(x.device.type):
            return self._launched(x, offset)
        with torch.autocast(x.device.type, enabled=False):
            return self._launched(x, offset)

    def _launched(self, x: torch.Tensor, offset: float | None) -> torch.Tensor:
        """Evaluate clips; a few of them on CUDA, where that takes many launches, from a CUDA graph."""
        if self.many_launches and recorded.serves(x) and not isinstance(offset, torch.Tensor):
            return self._recorder(self, x, offset)
        return self._framed(x, offset)

    def _framed(self, x: torch.Tensor, offset: float | None) -> torch.Tensor:
        """Evaluate centred frames; or whole ones, which zeros before the clip bring to multiples of the hop."""
        if self._whole is None:
            return self._in_range(x, offset)
        left, first = self._first_whole_frame()
        count = self.n_frames(x.shape[-1])
        return self._in_range(F.pad(x, (left, 0)) if left else x, offset)[..., first : first + count]

    def _first_whole_frame(self) -> tuple[int, int]:
        """Return the zeros before a clip after which whole frames lie at multiples of the hop, and the first's number.

        Of centred frames it is number 0, without any zeros.
        """
        before = 0 if self._whole is None else self._whole[0]
        left = -before % self.hop_length
        return left, (before + left) // self.hop_length

    def _reach(self, frames: int) -> int:
        """Return the samples up to the centre of the last of so many frames; up to the end of the last whole one."""
        return self.hop_length * (frames - 1) + (0 if self._whole is None else sum(self._whole) + 1)

    def _in_range(self, x: torch.Tensor, offset: float | None) -> torch.Tensor:
        """Evaluate clips as they are; some very quiet or very loud ones scaled by a power of two, which is exact."""
        try:
            return self.spectrogram(x, offset)
        except OutOfRange:
            scale = scales(x)
        values = self.spectrogram(x * scale, None, careful=True)
        return Finish(offset=offset).log(unscaled(values, scale, self.exponent))

    def spectrogram(self, x: torch.Tensor, offset: float | None, careful: bool = False) -> torch.Tensor:
        """Compute log(spectrogram + offset) of (batch, samples); without an offset, the spectrogram.

        Raises:
            OutOfRange: unless careful, that numbers may have been lost on the way.
        """
        raise NotImplementedError

    def _table(self, which: str, like: torch.Tensor) -> torch.Tensor:
        """Return the table that a method of this name makes for tensors like one; if traced, an operator returns it."""
        if traced():
            return torch.ops.sweep.table(like.detach(), self._name, sized(self._name, which, like.device.type))
        return self._made(which, like)

    def _made(self, which: str, like: torch.Tensor) -> torch.Tensor:
        return self._tables.get((which, like.device, like.dtype), lambda: getattr(self, which)(like))

    def _describe_fft(self, device: torch.device) -> str:
        return f"the code of {type(self).__name__}"

    def extra_repr(self) -> str:
        low, high = self.frequencies[0], self.frequencies[-1]
        band = f", {low:.1f}..{high:.1f} Hz" if high > 0 else ""  # coefficients have no frequency
        numbers = f"n_bins={self.n_bins}, hop_length={self.hop_length}{band}"
        engines = [f"on {device}: {self.engine_on(device)}" for device in ("cpu", "cuda")]
        return "\n".join([f"{numbers}, context={self.context}", *engines])


def whole_frames(center: bool, bank: Kernels | Sampled, max_samples: int | None) -> tuple[int, int] | None:
    """Return the argument `whole` for the frames of a bank: what its kernels need before and behind a frame's centre.

    Raises:
        ValueError: max_samples is given, and only whole frames count.
    """
    check_choice("center", center, (False, True))
    if center:
        return None
    if max_samples is not None:
        raise ValueError(f"max_samples {max_samples}: with center=False all taps meet a sample; choose None")
    return -int(bank.first_lags.min()), int(bank.last_lags.max())


def shown(values: torch.Tensor, output: str) -> torch.Tensor:
    """Return complex values as they are, or for output "phase" their angles in radians; that of 0 is 0."""
    return values if output == "complex" else torch.angle(values + 0)  # -0 + 0 is 0, and the angle of -0 would be pi


def check_tensor(name: str, value: object) -> None:
    """Check that an argument is an ordinary tensor.

    Raises:
        TypeError: it is no tensor.
        ValueError: a sparse, nested or quantized one.
    """
    if not isinstance(value, torch.Tensor):
        kind, remedy = type(value), f"torch.as_tensor({name})"
        raise TypeError(f"{name} of type {kind.__module__}.{kind.__qualname__}: needs a torch.Tensor; choose {remedy}")
    if value.is_quantized:
        raise ValueError(f"{name} of type {value.dtype}: needs plain numbers; choose {name}.dequantize()")
    if value.is_nested:
        raise ValueError(f"{name} is a nested tensor: needs clips of one length; choose {name}.to_padded_tensor(0.0)")
    if value.layout != torch.strided:
        raise ValueError(f"{name} of layout {value.layout}: needs a dense tensor; choose {name}.to_dense()")

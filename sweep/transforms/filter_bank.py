"""A bank of filters that are given by their taps, as a front-end."""

from collections.abc import Sequence

import numpy as np
import torch

from sweep import filters
from sweep.checks import check_choice, check_whole
from sweep.engines import ACCURACIES
from sweep.engines.direct import Direct
from sweep.engines.finish import Finish, finished
from sweep.engines.framing import n_frames
from sweep.engines.sampled import Sampled
from sweep.filters.taps import checked_taps
from sweep.transforms.transform import OUTPUTS, Transform, shown, whole_frames


class FilterBank(Transform):
    """Spectrogram by filters of any taps, with centred frames: (..., samples) -> (..., n_bins, frames).

    Bin k of frame t is the sum over its lags n of taps[k][n - first_lags[k]] x[t hop_length + n]. A filter of impulse
    response h is the bank's with the taps h[::-1], whose last lag is 0.

    Args:
        frequencies: centre of each bin in Hz, (bins,).
        taps: taps of each bin, real or complex, one array a bin, of any lengths.
        first_lags: lag of the first tap of each bin in samples, (bins,); None: the middle tap of each is at lag 0.
        hop_length: samples between frames.
        pad_mode: padding of a clip, "constant" (zeros) or "reflect".
        output: values to return, "magnitude", "power", "complex" or "phase", the complex values' angle in radians.
        trainable: whether the taps are parameters.
        max_samples: longest clip in samples, for trainable=True, as in `CQT`; None: clips of any length.
        engine: way to evaluate the taps, "auto" or "direct", which are the same.
        accuracy: "exact", "high", or "fast", which lets CUDA's products round their factors to TF32.
        center: whether lag 0 of frame t is sample t hop_length, and the clip padded; if not, the lowest lag of frame 0
            is the clip's first sample, and only frames that lie whole in the clip count.

    Raises:
        ValueError: a number is out of its range, or the three lists are not equally long.

    >>> FilterBank(frequencies=[5000.0, 2500.0], taps=[np.ones(8), np.ones(16)])(torch.randn(4096)).shape
    torch.Size([2, 9])
    """

    many_launches = kernels_last = True

    def __init__(
        self,
        *,
        frequencies: Sequence[float] | np.ndarray,
        taps: Sequence[np.ndarray],
        first_lags: Sequence[int] | np.ndarray | None = None,
        hop_length: int = 512,
        pad_mode: str = "constant",
        output: str = "magnitude",
        trainable: bool = False,
        max_samples: int | None = None,
        engine: str = "auto",
        accuracy: str = "high",
        center: bool = True,
    ):
        centres, lags, found = checked_taps(frequencies, taps, first_lags)
        # The engine takes it that each kernel has a lag 0.
        ends = [(max(0, lag), max(0, 1 - lag - len(some))) for lag, some in zip(lags.tolist(), found, strict=True)]
        around = tuple(map(np.pad, found, ends))
        bank = Sampled(np.minimum(lags, 0), around, centres)
        hop_length = check_whole("hop_length", hop_length)
        check_choice("pad_mode", pad_mode, filters.PAD_MODES)
        check_choice("output", output, OUTPUTS)
        check_choice("trainable", trainable, (False, True))
        check_choice("engine", engine, ("auto", "direct"))
        check_choice("accuracy", accuracy, ACCURACIES)
        if max_samples is not None:
            max_samples = check_whole("max_samples", max_samples)
        whole = whole_frames(center, bank, max_samples)
        super().__init__(hop_length=hop_length, frequencies=centres, context=max(map(len, found)), whole=whole)
        pad_mode = pad_mode if center else "constant"  # which no frame meets
        self.output, self.exponent = output, 2 if output == "power" else 1
        rounded, longest = ACCURACIES[accuracy][1] and not trainable, max_samples if trainable else None
        direct = Direct(bank, hop_length, pad_mode, trainable, tf32=rounded, max_samples=longest)
        self.engine = direct.because("any taps are evaluated so")

    def spectrogram(self, x: torch.Tensor, offset: float | None, careful: bool = False) -> torch.Tensor:
        if self.output in ("complex", "phase"):
            return shown(torch.complex(*self.engine(x)), self.output)
        count = n_frames(x.shape[-1], self.hop_length)
        return finished(self.engine, x, Finish(self.output == "power", offset, careful), self.n_bins, count)

"""The variable-Q transform as a front-end, of which the constant-Q transform is a special case."""

import torch

from sweep import filters
from sweep.checks import check_choice, check_positive, check_share, check_whole
from sweep.engines import build, build_published
from sweep.engines.derivatives import transformed
from sweep.engines.finish import Finish, finished
from sweep.engines.framing import n_frames
from sweep.engines.tables import Tables, outside_graph
from sweep.filters.windows import Window
from sweep.transforms.inverse import check_spectrum, least_squares
from sweep.transforms.transform import OUTPUTS, Transform, shown, whole_frames


class VQT(Transform):
    """Variable-Q transform with centred frames: (..., samples) -> (..., n_bins, frames).

    A constant-Q transform whose bins are wider by gamma, so that the low ones do not blur what happens within their
    long kernels: with alpha = 2^(1 / bins_per_octave) - 1, bin k is alpha f_k + gamma Hz wide and its kernel has
    l_k = ceil(filter_scale sample_rate / (alpha f_k + gamma)) samples (Schoerkhuber et al. 2014;
    `sweep.filters.constant_q_kernels`).

    `algorithm="librosa"` with bandwidth="both_bins" gives the values of librosa 0.11's vqt, whose gamma=None is "erb"
    here; `algorithm="nnaudio"` those of nnAudio's VQT without early downsampling, where hop_length is divisible by 2 as
    often as there are octaves above the lowest. Where it is not, nnAudio shortens the hop of the octaves that are left
    and interpolates their frames; here they stay at the last rate that the hop allows.

    Args:
        gamma: what each bandwidth exceeds that of a constant-Q bin by, in Hz: 0 is a `CQT`; "erb", 24.7 alpha / 0.108,
            makes all bandwidths the same share of those of the ear's filters, 24.7 Hz + 0.108 f_k.

    The other arguments are those of `CQT`.

    Raises:
        ValueError: a number is out of its range, or for the reasons that `CQT` gives.

    >>> import torch
    >>> VQT(n_bins=36, output="complex")(torch.randn(16384)).shape
    torch.Size([36, 33])
    >>> VQT(gamma=0.0).context, VQT(gamma=20.0).context, VQT().context
    (22678, 2010, 2838)
    """

    many_launches = kernels_last = True

    def __init__(
        self,
        *,
        gamma: float | str = "erb",
        sample_rate: float = 44100,
        hop_length: int = 512,
        f_min: float = 32.703,
        f_max: float | None = None,
        n_bins: int | None = None,
        bins_per_octave: int = 12,
        window: Window = "hann",
        filter_scale: float = 1.0,
        basis_norm: int | str = 1,
        norm: str = "sqrt_length",
        bandwidth: str = "next_bin",
        pad_mode: str = "constant",
        output: str = "magnitude",
        trainable: bool = False,
        engine: str = "auto",
        accuracy: str = "high",
        algorithm: str = "exact",
        max_samples: int | None = None,
        center: bool = True,
    ):
        n_bins = 84 if n_bins is None and f_max is None else n_bins
        frequencies = filters.constant_q_frequencies(n_bins, bins_per_octave, f_min, sample_rate, f_max)
        hop_length = check_whole("hop_length", hop_length)
        check_choice("pad_mode", pad_mode, filters.PAD_MODES)
        check_choice("output", output, OUTPUTS)
        check_choice("trainable", trainable, (False, True))
        if max_samples is not None:
            max_samples = check_whole("max_samples", max_samples)
        check_choice("algorithm", str(algorithm), filters.CONSTANT_Q_ALGORITHMS)  # 1992 may come as a number
        shape = filters.ConstantQ(
            window=window,
            bins_per_octave=bins_per_octave,
            bandwidth=bandwidth,
            gamma=gamma,
            filter_scale=filter_scale,
            basis_norm=basis_norm,
        )
        kernels = shape.kernels(frequencies, sample_rate, norm)
        whole = whole_frames(center, kernels, max_samples)
        context = int(kernels.lengths.max())
        super().__init__(hop_length=hop_length, frequencies=frequencies, context=context, whole=whole)
        pad_mode = pad_mode if center else "constant"  # which no frame meets
        self.output, self.exponent = output, 2 if output == "power" else 1
        self.algorithm, self._tables = str(algorithm), Tables()
        options: dict = {"engine": engine, "accuracy": accuracy, "trainable": trainable, "max_samples": max_samples}
        if self.algorithm == "exact":
            self.engine = build(kernels, hop_length, pad_mode, **options)
        else:
            self.engine = build_published(self.algorithm, kernels, shape, hop_length, pad_mode, **options)

    def spectrogram(self, x: torch.Tensor, offset: float | None, careful: bool = False) -> torch.Tensor:
        if self.output in ("complex", "phase"):
            return shown(torch.complex(*self.engine(x)), self.output)
        count = n_frames(x.shape[-1], self.hop_length)
        return finished(self.engine, x, Finish(self.output == "power", offset, careful), self.n_bins, count)

    def inverse(
        self, spectrum: torch.Tensor, length: int | None = None, *, n_iter: int = 32, tolerance: float = 1e-3
    ) -> torch.Tensor:
        """Compute the waveform whose complex spectrum is nearest: (..., n_bins, frames) -> (..., length).

        It minimises the squared distance between the two spectra, all bins scaled to respond alike to a tone of their
        own frequency, by preconditioned conjugate gradients (`sweep.transforms.inverse`). `algorithm` is inverted as it
        is, its approximations included. What no bin hears is lost. Above the limit 1.44 bins_per_octave sample_rate /
        hop_length, in Hz (at gamma 0; 1,490 Hz at 12, 44.1 kHz and 512), a spectrum has fewer values than the waveform:
        a waveform of little energy that has it comes back. At 12 bins per octave and more an unchanged spectrum of what
        lies well between the lowest and the highest bin and below half the limit comes back within 3e-3 (relative L2),
        below two thirds within 1e-2, below nine tenths within 5e-2.

        The result is differentiable by autograd. Its gradient solves the same equations, as exactly as the result.
        torch.func's transforms and forward-mode differentiation are refused; a batch needs no vmap.

        Args:
            spectrum: complex spectrum in the layout of `forward` with output="complex"; this front-end's own `output`
                does not matter.
            length: samples to return; None is hop_length (frames - 1), up to the centre of the last frame, or
                with center=False the end of the last frame. With the clip's own length the ends are best.
            n_iter: most iterations. Each takes about as long as forward and backward.
            tolerance: share to which the gradient of the squared distance has to fall, in each clip on its own, above 0
                and below 1. Where every octave has more values than samples, 1e-3 takes about eight iterations.

        Raises:
            ValueError: the kernels are trained, the spectrum has another shape or type or is followed by torch.func, a
                number is out of its range, or the clip is too short for reflect padding.

        >>> vqt = VQT(hop_length=64, n_bins=96, output="complex")
        >>> x = torch.sin(0.1 * torch.arange(16384.0))
        >>> (vqt.inverse(vqt(x), length=16384) - x).norm() < 0.01 * x.norm()
        tensor(True)
        """
        if self.engine.trained:
            raise ValueError("trainable True: trained kernels have no inverse; choose trainable=False")
        y = check_spectrum(spectrum, self.n_bins)
        if transformed(y):
            raise ValueError(
                "spectrum within torch.func or forward-mode differentiation: the iterations end by its numbers; choose "
                "a batch in place of vmap, and torch.autograd.grad for a gradient"
            )
        check_whole("n_iter", n_iter)
        check_positive("tolerance", tolerance)
        check_share("tolerance", tolerance)
        reach = self._reach(y.shape[-1])
        length = reach if length is None else length
        check_whole("length", length, least=0)
        if length == 0 or y.numel() == 0:
            return y.real[..., 0, :1].expand(*y.shape[:-2], length)
        flat, placed = y.reshape(-1, *y.shape[-2:]), self._first_whole_frame()
        numbers = (max(reach, length), *placed, n_iter, tolerance, self._tables)
        return outside_graph(least_squares, self.engine, flat, *numbers)[:, :length].reshape(*y.shape[:-2], length)

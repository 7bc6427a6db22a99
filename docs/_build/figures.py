"""The figures of reference pages and of published systems, drawn from the front-ends when the site is built."""

import functools
import io

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import soxr
import torch
from matplotlib.figure import Figure

import pieces
from experiments.correctness.signals import chromatic_scale, logarithmic_sweep
from sweep import filters, row
from sweep.data.composition import compose
from sweep.data.sources.demo import ENSEMBLES
from sweep.data.synthesis import render
from sweep.report import seen
from sweep.transforms import CQT, STFT, MelSpectrogram

RATE = 44_100  # Hz
STYLE = {"font.size": 9, "axes.titlesize": 9, "svg.fonttype": "path"}
WIDTH = 4.8  # inches: panels stand one above the other, so that a narrow window shows them as large


def draw() -> dict[str, bytes]:
    """All figures by name, as SVG."""
    made = {"stft.svg": stft, "mel.svg": mel, "cqt.svg": cqt, "cqt-algorithms.svg": algorithms}
    with matplotlib.rc_context(STYLE), torch.inference_mode():
        drawn = {name: _svg(figure()) for name, figure in made.items()}
    return drawn | {f"system-{name}.png": system(name) for name in pieces.grid("systems")}


def system(name: str) -> bytes:
    """What a published system sees of eight seconds of the demo set's music."""
    it = row(name)
    clip = soxr.resample(_eight_seconds(), RATE, it.sample_rate, quality="VHQ")
    with torch.inference_mode():
        return seen.draw(it.features(torch.from_numpy(clip)).numpy(), it, len(clip), name)


@functools.cache
def _eight_seconds() -> np.ndarray:
    rng = np.random.default_rng(3)
    return render(compose(ENSEMBLES[0], 8.0, rng), 8 * RATE, rng).astype(np.float32)


def stft() -> Figure:
    """A kernel, and the same scale at the three kinds of frequencies."""
    figure, axes = plt.subplots(4, figsize=(WIDTH, 7.6), layout="constrained")
    n, x = np.arange(2048), filters.window("hann", 2048)
    axes[0].plot(n, x, color="C1", label="window w[n]")
    axes[0].plot(n, x * np.cos(2 * np.pi * 5 * n / 2048), color="C0", label="w[n] cos(2π n f₅ / sample rate)")
    axes[0].set(title="kernel of bin 5, n_fft=2048", xlabel="n, samples", ylim=(-1.1, 1.5))
    axes[0].legend(fontsize=7, frameon=False, loc="upper right")
    for axis, scale in zip(axes[1:], ("fft", "linear", "log"), strict=True):
        front_end = STFT(scale=scale, n_bins=279 if scale == "fft" else None, accuracy="exact")
        _spectrogram(axis, front_end, _scale(), f'scale="{scale}"' + (" up to 6 kHz" if scale == "fft" else ""))
    return figure


def mel() -> Figure:
    """The bank of triangles and what it makes of the scale."""
    figure, axes = plt.subplots(2, figsize=(WIDTH, 4.2), layout="constrained")
    bank = filters.mel_bank(RATE, 2048, 24, 50.0, 6000.0)
    grid = filters.fft_frequencies(RATE, 2048)
    shown = grid < 6500
    axes[0].plot(grid[shown], bank.T[shown], linewidth=0.8)
    axes[0].set(title="n_mels=24, 50 to 6,000 Hz: equal areas", xlabel="Hz", yticks=[])
    front_end = MelSpectrogram(n_mels=128, f_min=50.0, f_max=6000.0, power=1.0)
    _spectrogram(axes[1], front_end, _scale(), "128 bands, magnitude")
    return figure


def cqt() -> Figure:
    """Kernels of three octaves, and the scale, whose semitones are equally far apart."""
    figure, axes = plt.subplots(2, figsize=(WIDTH, 4.2), layout="constrained")
    frequencies = filters.constant_q_frequencies(84, 12, 55.0, RATE)
    kernels = filters.constant_q_kernels("hann", frequencies, 12, RATE, "none")
    for place, k in enumerate((24, 36, 48)):
        length, first = int(kernels.lengths[k]), int(kernels.first_lags[k])
        lags = first + np.arange(length)
        wave = filters.window("hann", length) * np.cos(2 * np.pi * frequencies[k] / RATE * lags)
        axes[0].plot(1e3 * lags / RATE, wave + 2.4 * place, linewidth=0.6, label=f"{frequencies[k]:.0f} Hz, {length:,}")
    axes[0].set(title="kernels: as many periods in each", xlabel="lag, ms", yticks=[], ylim=(-1.3, 8.6))
    axes[0].legend(fontsize=7, frameon=False, loc="upper right", title="centre, samples", title_fontsize=7)
    front_end = CQT(f_min=55.0, n_bins=168, bins_per_octave=24, accuracy="exact")
    _spectrogram(axes[1], front_end, _scale(), "24 bins per octave, 55 to 7,040 Hz")
    return figure


def algorithms() -> Figure:
    """A sweep up to half the sample rate: what halving the rate lets through from above."""
    figure, axes = plt.subplots(2, figsize=(WIDTH, 4.2), layout="constrained")
    x = torch.from_numpy(logarithmic_sweep().astype(np.float32))
    for axis, algorithm in zip(axes, ("exact", "2010v2"), strict=True):
        front_end = CQT(f_min=55.0, n_bins=207, bins_per_octave=24, algorithm=algorithm, accuracy="exact")
        _spectrogram(axis, front_end, x, f'algorithm="{algorithm}"', floor=-80)
    return figure


@functools.cache
def _scale() -> torch.Tensor:
    return torch.from_numpy(chromatic_scale().astype(np.float32))


def _spectrogram(axes, front_end: torch.nn.Module, x: torch.Tensor, title: str, floor: float = -60) -> None:
    """Decibels below the loudest, bins upwards with their frequencies beside them."""
    values = front_end(x).numpy()
    decibels = 20 * np.log10(np.maximum(values / values.max(), 10 ** (floor / 20)))
    bins, seconds = len(values), (values.shape[1] - 1) * front_end.hop_length / RATE
    axes.imshow(
        decibels, origin="lower", aspect="auto", cmap="magma", vmin=floor, vmax=0, extent=(0, seconds, 0, bins),
        interpolation="nearest",
    )  # fmt: skip
    marks = [f for f in (100, 500, 1000, 2000, 5000, 10_000) if front_end.frequencies[0] <= f]
    marks = [f for f in marks if f <= front_end.frequencies[-1]]
    axes.set_yticks(np.interp(marks, front_end.frequencies, np.arange(bins) + 0.5), [f"{f:,}" for f in marks])
    axes.set(title=title, xlabel="s", ylabel="Hz")


def _svg(figure: Figure) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="svg", metadata={"Date": None})
    plt.close(figure)
    return file.getvalue()

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
from experiments.accuracy.measure import WINDOW, two_sines
from experiments.correctness.signals import chromatic_scale, logarithmic_sweep
from sweep import filters, row
from sweep.data.composition import compose
from sweep.data.sources.demo import ENSEMBLES
from sweep.data.synthesis import render
from sweep.report import seen
from sweep.transforms import CQT, LEAF, MFCC, STFT, VQT, Gammatone, MelSpectrogram, SincNet

RATE = 44_100  # Hz
STYLE = {"font.size": 9, "axes.titlesize": 9, "svg.fonttype": "path"}
WIDTH = 4.8  # inches: panels stand one above the other, so that a narrow window shows them as large


def draw() -> dict[str, bytes]:
    """All figures by name, as SVG."""
    made = {"stft.svg": stft, "mel.svg": mel, "cqt.svg": cqt, "cqt-algorithms.svg": algorithms, "vqt.svg": vqt}
    made |= {"gammatone.svg": gammatone, "mfcc.svg": mfcc, "learned.svg": learned, "inverse.svg": inverse}
    made["accuracy.svg"] = accuracy
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


def gammatone() -> Figure:
    """The weights of some filters in decibels, and what 64 make of the scale."""
    figure, axes = plt.subplots(2, figsize=(WIDTH, 4.2), layout="constrained")
    bank, grid = filters.gammatone_bank(RATE, 2048, 64, 50.0, 6000.0, norm=None), filters.fft_frequencies(RATE, 2048)
    shown = (grid > 0) & (grid < 12_000)
    axes[0].semilogx(grid[shown], 20 * np.log10(bank[::4, shown].T), linewidth=0.8)
    axes[0].set(title="every fourth of n_bands=64, 50 to 6,000 Hz", xlabel="Hz", ylabel="dB", ylim=(-80, 3))
    front_end = Gammatone(f_min=50.0, f_max=6000.0, power=1.0)
    _spectrogram(axes[1], front_end, _scale(), "64 bands, magnitude")
    return figure


def mfcc() -> Figure:
    """The first cosines over the bands, and the coefficients of the scale."""
    figure, axes = plt.subplots(2, figsize=(WIDTH, 4.2), layout="constrained")
    axes[0].plot(filters.dct_matrix(5, 128)[1:].T, linewidth=0.8, label=[f"k = {k}" for k in range(1, 5)])
    axes[0].set(title="what coefficients 1 to 4 are sums with", xlabel="mel band", yticks=[], ylim=(-0.14, 0.19))
    axes[0].legend(fontsize=7, frameon=False, loc="upper right", ncols=4)
    front_end = MFCC()
    values = front_end(_scale())[1:].numpy()  # 0 is the level, ten times the others
    seconds, largest = (values.shape[1] - 1) * front_end.hop_length / RATE, np.percentile(np.abs(values[1:]), 99)
    extent = (0, seconds, 0.5, 19.5)
    options = {"origin": "lower", "aspect": "auto", "interpolation": "nearest", "extent": extent}
    axes[1].imshow(values, cmap="RdBu_r", vmin=-largest, vmax=largest, **options)
    axes[1].set(title="coefficients 1 to 19 of the scale", xlabel="s", ylabel="k", yticks=[1, 5, 10, 15])
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


def vqt() -> Figure:
    """Lengths of the kernels with and without gamma, and the scale through both."""
    figure, axes = plt.subplots(3, figsize=(WIDTH, 6.2), layout="constrained")
    frequencies = filters.constant_q_frequencies(84, 12, 55.0, RATE)
    for gamma, label in ((0.0, "CQT"), (10.0, "gamma=10"), ("erb", 'gamma="erb"'), (50.0, "gamma=50")):
        kernels = filters.constant_q_kernels("hann", frequencies, 12, RATE, gamma=gamma)
        axes[0].plot(frequencies, 1e3 * kernels.lengths / RATE, linewidth=1, label=label)
    ticks = {"xticks": [100, 1000, 5000], "xticklabels": ["100", "1,000", "5,000"], "yticks": [3, 10, 30, 100, 300]}
    axes[0].set(xscale="log", yscale="log", title="length of a kernel, 12 bins per octave", xlabel="Hz", ylabel="ms")
    axes[0].set(**ticks, yticklabels=["3", "10", "30", "100", "300"])
    axes[0].minorticks_off()
    axes[0].legend(fontsize=7, frameon=False)
    for axis, front_end, title in zip(axes[1:], (CQT, VQT), ("CQT", 'VQT, gamma="erb"'), strict=True):
        it = front_end(f_min=55.0, n_bins=168, bins_per_octave=24, accuracy="exact")
        _spectrogram(axis, it, _scale(), f"{title}, 24 bins per octave")
    return figure


def algorithms() -> Figure:
    """A sweep up to half the sample rate: what halving the rate lets through from above."""
    figure, axes = plt.subplots(2, figsize=(WIDTH, 4.2), layout="constrained")
    x = torch.from_numpy(logarithmic_sweep().astype(np.float32))
    for axis, algorithm in zip(axes, ("exact", "2010v2"), strict=True):
        front_end = CQT(f_min=55.0, n_bins=207, bins_per_octave=24, algorithm=algorithm, accuracy="exact")
        _spectrogram(axis, front_end, x, f'algorithm="{algorithm}"', floor=-80)
    return figure


def learned() -> Figure:
    """What every fourth initial filter of LEAF and of SincNet passes, and the scale through both."""
    figure, axes = plt.subplots(4, figsize=(WIDTH, 8.4), layout="constrained")
    x = torch.from_numpy(soxr.resample(_scale().numpy(), RATE, 16_000))
    for pair, made in zip((axes[:2], axes[2:]), (LEAF, SincNet), strict=True):
        whole, step = made(trainable=True), 4 if made is LEAF else 8
        for k in range(0, whole.n_bins, step):
            gains = np.abs(np.fft.fft(whole.kernel(k)[1].conj(), 8192))[:4096]
            pair[0].plot(np.arange(4096) * 16_000 / 8192, gains / gains.max(), linewidth=0.7)
        pair[0].set(title=f"{made.__name__}: what some filters pass at first", xlabel="Hz", xlim=(0, 8000), yticks=[])
        options = {"pcen": False} if made is LEAF else {}
        words, floor = ("energies", -120) if made is LEAF else ("peaks", -60)  # an energy is a magnitude's square
        title = f"{made.__name__}: {words} of all {whole.n_bins}"
        _spectrogram(pair[1], made(**options), x, title, floor, rate=16_000)
    return figure


def inverse() -> Figure:
    """The filter that constant-Q bins are in all, and the spectrum of music before and after the way back."""
    figure, axes = plt.subplots(2, figsize=(WIDTH, 4.2), layout="constrained")
    front_end, x = CQT(hop_length=512, output="complex"), torch.from_numpy(_eight_seconds()[: 2 * RATE])
    noise = torch.randn(8, len(x), generator=torch.Generator().manual_seed(0))
    through = front_end.inverse(front_end(noise), length=len(x), n_iter=8)
    for axis, waves, names in (
        (axes[0], (noise, through), ("white noise", "what comes back, 8 iterations")),
        (axes[1], (x[None], front_end.inverse(front_end(x), length=len(x))[None]), ("music", "what comes back")),
    ):
        for wave, name in zip(waves, names, strict=True):
            power = torch.fft.rfft(wave).abs().square().mean(0)[: len(x) // 2].unflatten(0, (-1, 50)).mean(1)
            axis.plot(np.arange(len(power)) * 50 * RATE / len(x), 10 * torch.log10(power), linewidth=0.7, label=name)
        axis.axvline(front_end.frequencies[-1], color="0.6", linewidth=0.7)
        axis.set(xscale="log", xlim=(30, 12_000), xlabel="Hz", ylabel="dB")
        axis.legend(fontsize=7, frameon=False, loc="lower left")
    axes[0].set(title="12 bins per octave, hop 512; the highest bin at 3,951 Hz")
    return figure


def accuracy() -> Figure:
    """A frame of two sines and one of music at two accuracies beside the definition, and the differences from it."""
    figure, axes = plt.subplots(4, figsize=(WIDTH, 8.4), layout="constrained", sharex=True)
    it, music = row("log-2048"), _eight_seconds()[2 * RATE :][:WINDOW]
    names = ("1 kHz, and 80 dB below it 1.5 kHz", "a frame of music")
    for pair, clip, title in zip((axes[:2], axes[2:]), (two_sines(), music), names, strict=True):
        x = torch.from_numpy(clip / np.linalg.norm(clip))  # as the sweep's rows have it
        expected = it.transform(engine="direct")(x.double())
        loudest, frame = expected.max(), expected.shape[1] // 2

        def draw(axis, values, loudest=loudest, frame=frame, **options):
            decibels = 20 * torch.log10((values[:, frame].abs() / loudest).clamp(min=1e-12))
            axis.plot(it.frequencies, decibels, linewidth=0.7, **options)

        for mode, color in (("fast", "C1"), ("high", "C0")):
            values = it.transform(accuracy=mode)(x.float()).double()
            draw(pair[0], values, color=color, label=f'"{mode}"')
            draw(pair[1], values - expected, color=color)
        draw(pair[0], expected, color="black", label="definition")
        pair[0].axhline(20 * np.log10(1e-5 / loudest), color="0.5", linewidth=0.7, linestyle=":")
        pair[0].set(title=title, ylabel="dB", ylim=(-150, 5))
        pair[1].set(title="difference from the definition", xscale="log", ylabel="dB", ylim=(-150, 5))
    axes[0].legend(fontsize=7, frameon=False, loc="upper left")
    axes[-1].set(xlabel="Hz")
    return figure


@functools.cache
def _scale() -> torch.Tensor:
    return torch.from_numpy(chromatic_scale().astype(np.float32))


def _spectrogram(axes, front_end: torch.nn.Module, x: torch.Tensor, title: str, floor: float = -60, rate: int = RATE):
    """Decibels below the loudest, bins upwards with their frequencies beside them."""
    values = front_end(x).numpy()
    decibels = 20 * np.log10(np.maximum(values / values.max(), 10 ** (floor / 20)))
    bins, seconds = len(values), (values.shape[1] - 1) * front_end.hop_length / rate
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

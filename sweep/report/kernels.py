"""Draw what a trained front-end learned: some kernels in time and frequency and some bands, before and after."""

import matplotlib
import numpy as np
from matplotlib.ticker import EngFormatter, NullFormatter

from sweep.report.details import Details
from sweep.report.pictures import Picture, new_figure, stem
from sweep.results.evidence import SPECTRUM

_BEFORE = {"color": "#999999", "linewidth": 1.4, "label": "before training"}
_AFTER = {"color": "black", "linewidth": 0.7, "label": "after training"}


def kernels(name: str, runs: list[Details]) -> Picture | None:
    """Draw the kernels and bands of a row's first run that kept any.

    Args:
        name: name of the row.
        runs: runs of the row.

    Returns:
        The picture; None if no run kept kernels or bands.
    """
    kept = [run for run in runs if "kernel_taps" in run.evidence or "bank_rows" in run.evidence]
    if not kept:
        return None
    found, frequencies = kept[0].evidence, kept[0].evidence["frequencies"]
    n_kernels, n_bands = (len(found.get(key, ())) for key in ("kernel_bins", "bank_bins"))
    figure = new_figure(7.2, 1.25 * (n_kernels + (n_bands > 0) * n_bands / 2) + 0.5)
    with matplotlib.rc_context({"font.size": 7, "axes.titlesize": 7}):
        grid = figure.add_gridspec(n_kernels + -(-n_bands // 2), 2)
        for row in range(n_kernels):
            _draw_kernel([figure.add_subplot(grid[row, column]) for column in range(2)], found, row)
        for place in range(n_bands):
            axes = figure.add_subplot(grid[n_kernels + place // 2, place % 2])
            _draw_band(axes, found, place, frequencies[found["bank_bins"][place]])
        figure.axes[0].legend(fontsize=6, frameon=False, loc="lower right", bbox_to_anchor=(1, 0.97), ncols=2)
    words = [
        f"{what}: moved by {np.nanmedian(found[key]):.1%} (median), at most {np.nanmax(found[key]):.1%}"
        for what, key in (("kernels", "kernels_moved"), ("mel bank", "bank_moved"))
        if key in found
    ]
    about = f"Seed {kept[0].seed}. Change relative to the initial norm; {'; '.join(words)}."
    if n_kernels:
        about += " Left, the real parts of some kernels; right, their spectra relative to the initial one's peak."
    return Picture(stem(f"kernels-{name}"), f"{name}: what its front-end learned", about, figure)


def _draw_kernel(pair: list, found: dict, row: int) -> None:
    lags = found["kernel_lags"][row] + np.arange(found["kernel_taps"].shape[2])
    middles = np.sqrt(SPECTRUM[1:] * SPECTRUM[:-1])
    for taps, spectrum, style in zip(found["kernel_taps"], found["kernel_spectra"], (_BEFORE, _AFTER), strict=True):
        pair[0].plot(lags, taps[row].real, **style)
        pair[1].plot(middles, spectrum[row], **style)
    used = np.flatnonzero(found["kernel_taps"][:, row].any(axis=0))
    if len(used):
        pair[0].set_xlim(lags[used[0]], lags[used[-1]] + 1)
    pair[0].set_title(f"{found['kernel_frequencies'][row]:,.0f} Hz, by lag in samples", loc="left", pad=2)
    pair[1].set_title("by frequency in Hz, dB", loc="left", pad=2)
    pair[1].set_xscale("log")
    pair[1].xaxis.set_major_formatter(EngFormatter(sep=""))
    pair[1].xaxis.set_minor_formatter(NullFormatter())
    pair[1].set_ylim(-100, max(5, float(found["kernel_spectra"][:, row].max()) + 5))


def _draw_band(axes, found: dict, place: int, frequency: float) -> None:
    rows = found["bank_rows"][:, place]
    for values, style in zip(rows, (_BEFORE, _AFTER), strict=True):
        axes.plot(np.arange(len(values)), values, **style)
    used = np.flatnonzero((np.abs(rows) > 0.01 * np.abs(rows).max()).any(axis=0))
    axes.set_xlim(used[0] - 5, used[-1] + 5)
    axes.set_title(f"band {found['bank_bins'][place]}, {frequency:.0f} Hz, by bin of the FFT", loc="left", pad=2)

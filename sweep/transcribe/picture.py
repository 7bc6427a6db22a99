"""Draw a stretch of a transcription: the spectrogram, the probabilities, and the notes formed from them."""

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection

from sweep.report.excerpts import LOUDNESS, frequency_ticks
from sweep.report.pictures import STYLE, new_figure, png
from sweep.results.scoring import PITCHES

_CERTAINTY = matplotlib.colormaps["viridis"]


class Shown:
    """Collect the frames that a picture shows, block after block.

    Args:
        stretch: begin and end of the picture, in seconds.
        hop_seconds: time between two frames, in seconds.
    """

    def __init__(self, stretch: tuple[float, float], hop_seconds: float):
        self.stretch, self.hop_seconds = stretch, hop_seconds
        self.first: int | None = None
        self._probabilities: list[np.ndarray] = []
        self._spectra: list[np.ndarray] = []

    def add(self, first: int, probability: np.ndarray, spectra: np.ndarray) -> None:
        """Keep those of the next frames that lie in the picture.

        Args:
            first: number of the first frame.
            probability: (frames, 88) float in 0..1.
            spectra: (frames, rows) log spectrogram.
        """
        times = (first + np.arange(len(probability))) * self.hop_seconds
        inside = (times >= self.stretch[0]) & (times <= self.stretch[1])
        if inside.any():
            if self.first is None:
                self.first = first + int(np.argmax(inside))
            self._probabilities.append(probability[inside])
            self._spectra.append(spectra[inside])

    def frames(self) -> tuple[np.ndarray, np.ndarray]:
        """Return (88, frames) probabilities and (rows, frames) log spectrogram; 0 frames if none lie in the picture."""
        if self.first is None:
            return np.zeros((len(PITCHES), 0)), np.zeros((1, 0))
        return np.concatenate(self._probabilities).T, np.concatenate(self._spectra).T


def draw(shown: Shown, notes: pd.DataFrame, ear, title: str, seconds: float) -> bytes:
    """Draw the picture and encode it as PNG.

    Args:
        shown: frames to show.
        notes: all notes of the recording.
        ear: model and settings of the transcription.
        title: title above the picture.
        seconds: duration of the recording, in seconds.

    Returns:
        Content of the PNG file.
    """
    probability, spectra = shown.frames()
    begin, end = shown.stretch[0], min(shown.stretch[1], max(seconds, shown.hop_seconds))
    inside = notes[(notes.offset_seconds > begin) & (notes.onset_seconds < end)]
    with matplotlib.rc_context(STYLE | {"axes.grid": False}):
        figure = new_figure(12, 7.5)
        top, middle, bottom = figure.subplots(3, 1, sharex=True, height_ratios=[1.3, 1, 1])
        if probability.shape[1]:
            left = (shown.first - 0.5) * shown.hop_seconds
            span = left, left + probability.shape[1] * shown.hop_seconds
            options = {"aspect": "auto", "origin": "lower", "interpolation": "none"}
            low = np.percentile(spectra, 5)  # quieter values are noise
            extent = (*span, -0.5, len(spectra) - 0.5)
            top.imshow(spectra, cmap=LOUDNESS, vmin=low, extent=extent, **options)
            frequency_ticks(top, ear.representation.frequencies)
            extent = (*span, PITCHES[0] - 0.5, PITCHES[-1] + 0.5)
            image = middle.imshow(probability, cmap=_CERTAINTY, vmin=0, vmax=1, extent=extent, **options)
            scale = figure.colorbar(image, ax=[middle, bottom], pad=0.01, aspect=40, label="probability")
            scale.ax.axhline(ear.thresholds.frames, color="white", linewidth=1.5)
        else:
            words = f"the recording ends at {seconds:.1f} s, before this stretch"
            top.text(0.5, 0.5, words, ha="center", transform=top.transAxes)
        _draw_notes(bottom, inside)
        heard = inside.pitch if len(inside) else pd.Series([48, 72])
        for axes in (middle, bottom):
            axes.set_ylim(min(heard.min(), 84) - 3, max(heard.max(), 36) + 3)
            axes.set_yticks([note for note in range(24, 109, 12) if _within(axes, note)])
            axes.set_yticklabels([f"C{int(note) // 12 - 1}" for note in axes.get_yticks()])
        top.set_xlim(begin, end)
        title += f"\nlog spectrogram, {begin:g} to {end:.4g} of {seconds:.4g} s"
        top.set_title(title, loc="left", parse_math=False)  # a file's name may hold dollar signs
        middle.set_title("probability of each pitch, the threshold marked beside it", loc="left")
        bottom.set_title(f"{len(inside)} notes, in the colour of their mean probability", loc="left")
        bottom.set_xlabel("seconds")
        return png(figure)


def _draw_notes(axes: Axes, notes: pd.DataFrame) -> None:
    boxes = [
        [(note.onset_seconds, y0), (note.offset_seconds, y0), (note.offset_seconds, y1), (note.onset_seconds, y1)]
        for note in notes.itertuples()
        for y0, y1 in [(note.pitch - 0.42, note.pitch + 0.42)]
    ]
    axes.add_collection(PolyCollection(boxes, facecolors=_CERTAINTY(notes.probability.to_numpy(float))))
    axes.set_facecolor("#f0f0f0")


def _within(axes: Axes, note: int) -> bool:
    low, high = axes.get_ylim()
    return low <= note <= high

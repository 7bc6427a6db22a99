"""Draw the features that a model sees of a clip."""

import matplotlib
import numpy as np

from sweep.report.excerpts import LOUDNESS, frequency_ticks
from sweep.report.pictures import STYLE, label, new_figure, png
from sweep.representations import Representation
from sweep.results.evidence import row_starts

_CHANNELS = 8  # most channels in a picture
_FRAMES = 4000  # most columns of it


def draw(features: np.ndarray, row: Representation, samples: int, title: str) -> bytes:
    """Draw features as a PNG, one channel above the other.

    Args:
        features: ([channels,] bins, frames).
        row: the row that computed them.
        samples: length of the clip, at the row's sample rate.
        title: title of the picture.
    """
    channels = features.reshape(-1, *features.shape[-2:])[:_CHANNELS]
    times = row.times(samples)
    half = row.hop_length / row.sample_rate / 2
    with matplotlib.rc_context(STYLE | {"axes.grid": False}):
        figure = new_figure(12, 1.2 + (3.6 if len(channels) == 1 else 1.6 * len(channels)))
        every = figure.subplots(len(channels), 1, sharex=True, squeeze=False)[:, 0]
        for number, (axes, values) in enumerate(zip(every, channels, strict=True)):
            shown = np.maximum.reduceat(values, row_starts(len(values)), axis=0)
            shown = shown[:, :: -(-shown.shape[1] // _FRAMES)]
            low, high = np.percentile(shown, [5, 99.9])  # quieter values are noise
            axes.imshow(
                shown,
                cmap=LOUDNESS,
                vmin=low,
                vmax=max(high, low + 1e-9),
                aspect="auto",
                origin="lower",
                interpolation="none",
                extent=(times[0] - half, times[-1] + half, -0.5, len(shown) - 0.5),
            )
            frequency_ticks(axes, row.frequencies)
            if len(channels) > 1:
                axes.set_ylabel(f"channel {number}")
        every[0].set_title(label(title), loc="left")
        every[-1].set_xlabel("seconds")
        return png(figure)

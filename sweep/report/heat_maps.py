"""Draw heat maps of the rows' accuracy by recording, by pitch and by polyphony."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from sweep.report.details import Details, rows_of, words
from sweep.report.pictures import Picture, colour_of, label, marker_of, new_figure
from sweep.results.instruments import recalls
from sweep.results.scoring import PITCHES

_ROW_HEIGHT = 0.155  # inches
_ROOM = 90  # characters of the names side by side below a map; if they are more, they are turned
_CHARACTER = 0.1  # inches that a character of a turned name may take
_FEWEST_NOTES = 20  # fewest reference notes of a pitch or polyphony for its accuracy to be shown


def score_by_recording(done: pd.DataFrame, details: list[Details]) -> Picture:
    """Draw a heat map of rows by test recordings.

    Args:
        done: done lines of the table, with their names.
        details: details of their runs.
    """
    title, scores = "Score of each recording", {}
    for run in details:
        scores.setdefault(run.row, []).append(pd.Series(run.scores, dtype=float))
    values = pd.DataFrame([pd.concat(scores[row], axis=1).mean(axis=1) for row in rows_of(done)], index=done.name)
    if values.isna().all(axis=None):
        return Picture("score-by-recording", title, "No run kept its recordings' scores.", None)
    return Picture(
        "score-by-recording",
        title,
        "Means over seeds. A column that is dark throughout is a recording that is hard for all.",
        _heat_map(values, "test recording", written=values.shape[1] <= 12, score=words(done)),
    )


def recall_by_instrument(done: pd.DataFrame, details: list[Details]) -> Picture | None:
    """Draw a heat map of rows by instrument: recall of frames, and of notes; None if the labels name no instrument.

    Args:
        done: done lines of the table, with their names.
        details: details of their runs.
    """
    found: dict[tuple, list] = {}
    for run in details:
        found.setdefault(run.row, []).extend(run.recordings)
    values = pd.DataFrame(
        [
            {f"{name}, {kind}": value for name, of in recalls(found[row]).items() for kind, value in of.items()}
            for row in rows_of(done)
        ],
        index=done.name,
    )
    if not values.notna().any(axis=None):
        return None
    about = (
        "What is found of each instrument's notes, over all test recordings and seeds: in frames, and as notes with "
        "their onset. An estimate names no instrument, so there is no precision. Missing where no notes were scored."
    )
    figure = _heat_map(values, "instrument", written=values.shape[1] <= 12, score="recall")
    return Picture("recall-by-instrument", "Recall by instrument", about, figure)


def accuracy_by_count(done: pd.DataFrame, details: list[Details], kind: str) -> Picture:
    """Draw a heat map of rows by pitch or by polyphony, over all test recordings and seeds.

    Args:
        done: done lines of the table, with their names.
        details: details of their runs.
        kind: "pitches" or "polyphony", the array of evidence.npz.
    """
    word = {"pitches": "pitch", "polyphony": "polyphony"}[kind]
    name, title, counts = f"accuracy-by-{word}", f"Accuracy by {word}", {}
    for run in details:
        if kind in run.evidence:  # (recordings, pitches or polyphonies, counts)
            counts.setdefault(run.row, []).append(run.evidence[kind].sum(0)[:, -3:])
    if not counts:
        return Picture(name, title, f"No run kept its counts by {word}.", None)
    some = next(iter(counts.values()))[0]
    places = np.arange(len(some)) if kind == "polyphony" else PITCHES
    enough = (some[:, 0] >= _FEWEST_NOTES) & (places > 0)
    if not enough.any():
        return Picture(name, title, f"No {word} has {_FEWEST_NOTES} notes in the scored frames.", None)
    seen = slice(enough.argmax(), len(enough) - enough[::-1].argmax())
    totals = [np.sum(counts.get(row, [np.zeros_like(some)]), axis=0) for row in rows_of(done)]
    rows = [np.where(enough, _accuracy(found), np.nan)[seen] for found in totals]
    values = pd.DataFrame(rows, index=done.name, columns=places[seen])
    notes = pd.Series(some[seen, 0], values.columns)
    axis = "MIDI pitch" if kind == "pitches" else "notes sounding at once in the reference"
    figure = _heat_map(values, axis, written=len(notes) <= 12, notes=notes, families=done.family.to_list())
    about = (
        "Notes right / (reference + estimated - right) over all test recordings and seeds. "
        "Above: the best row of each family, and the number of notes in the reference, grey. "
        f"White: fewer than {_FEWEST_NOTES} notes."
    )
    if kind == "polyphony":
        about += " Frames in which nothing sounds are left out: nothing can be right there."
    return Picture(name, title, about, figure)


def _accuracy(counts: np.ndarray) -> np.ndarray:
    """Accuracy from (n, 3) notes in the reference, in the estimate and right; NaN where there are none."""
    union = counts[:, 0] + counts[:, 1] - counts[:, 2]
    return np.where(union > 0, counts[:, 2] / np.maximum(union, 1), np.nan)


def _heat_map(
    values: pd.DataFrame,
    axis: str,
    *,
    written: bool,
    notes: pd.Series | None = None,
    families: list | None = None,
    score: str = "accuracy",
):
    """Draw rows by columns in colour; with `notes`, add a panel above with the best row of each family."""
    above = 1.3 if notes is not None else 0
    step = 1 if values.shape[1] <= 20 else 12 if axis == "MIDI pitch" else -(-values.shape[1] // 20)
    first = -int(values.columns[0]) % 12 if step == 12 else 0
    ticks = range(first, values.shape[1], step)
    names = [_tick(values.columns[place], octave=step == 12) for place in ticks]
    longest = max(map(len, names), default=0)
    turned = longest * len(names) > _ROOM
    figure = new_figure(7.2, above + 0.9 + _ROW_HEIGHT * len(values) + turned * longest * _CHARACTER)
    if above:
        lines, axes = figure.subplots(2, 1, sharex=True, height_ratios=[above, _ROW_HEIGHT * len(values) + 0.2])
        _family_lines(lines, values, notes, families)
    else:
        axes = figure.subplots()
    axes.grid(False)
    image = axes.imshow(
        values,
        aspect="auto",
        cmap="viridis",
        interpolation="none",
        vmin=0,
        vmax=max(np.nanmax(values.to_numpy()), 0.01),
    )
    axes.set_yticks(range(len(values)), map(label, values.index), fontsize=7)
    axes.set_xticks(ticks, names, **{"rotation": 90, "fontsize": 7} if turned else {})
    axes.set_xlabel(axis)
    if written:
        middle = image.norm.vmax / 2
        for (y, x), value in np.ndenumerate(values.to_numpy()):
            if np.isfinite(value):
                axes.text(
                    x,
                    y,
                    f"{value:.2f}",
                    ha="center",
                    va="center",
                    fontsize=6,
                    color="white" if value < middle else "black",
                )
    figure.colorbar(image, ax=axes, label=score, fraction=0.03, pad=0.01, aspect=40)
    return figure


def _tick(name: object, octave: bool) -> str:
    """Format the name of a column: a recording, a pitch, which is a C if `octave`, or a polyphony."""
    return f"{name} (C{int(str(name)) // 12 - 1})" if octave else label(str(name))


def _family_lines(axes: Axes, values: pd.DataFrame, notes: pd.Series, families: list) -> None:
    """Draw the best row of each family, by its mean over the columns, and bars of the number of notes."""
    places = np.arange(values.shape[1])
    for family in dict.fromkeys(families):
        part = values[[other == family for other in families]]
        if part.notna().any(axis=None):
            best = part.mean(axis=1).to_numpy()
            best = part.iloc[int(np.nanargmax(best))]
            axes.plot(
                places,
                best,
                color=colour_of(family),
                linewidth=1,
                marker=marker_of(family),
                markersize=2.5,
                label=label(best.name),
            )
    bars = axes.twinx()
    bars.bar(places, notes, color="#dddddd", width=0.9)
    bars.set_axis_off()
    axes.set_zorder(bars.get_zorder() + 1)
    axes.patch.set_visible(False)
    axes.set_ylabel("accuracy")
    axes.legend(fontsize=7, frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=4)

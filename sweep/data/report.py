"""Report the content of a data folder and all its problems."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from sweep.checks import called
from sweep.data.audio import decode, in_order
from sweep.data.labels import check_labels
from sweep.data.likeness import Print, alike, print_of
from sweep.data.reading import find_pairs
from sweep.data.recording import SAMPLE_RATE, Changed, DataError, Pair, Remark, summed
from sweep.data.roll import label_segments, merged
from sweep.data.source import VALIDATION, Source, layout_of
from sweep.names import spelled
from sweep.registry import sources

WINDOW = 16_384  # samples of a window in all protocols
# Shortest recordings: one window for training; for scoring the first second, which is not scored, and four windows.
LEAST = {split: (WINDOW, "training") for split in ("train", VALIDATION)}
LEAST["test"] = (SAMPLE_RATE + 4 * WINDOW, "scoring")


@dataclass(frozen=True)
class Facts:
    """The facts of one recording from which the table is made, and the fingerprint of its audio."""

    path: Path
    n_samples: int  # at 44,100 Hz
    file_rate: int
    pitches: np.ndarray  # (notes,) MIDI
    polyphony: np.ndarray  # (segments,) number of different notes that sound at once
    durations: np.ndarray  # (segments,) in samples
    print: Print


def report(
    root: Path, source: str | None, console: Console, options: Mapping[str, Any] = MappingProxyType({})
) -> list[str]:
    """Read all recordings below a folder; print a table of them, every remark and every problem.

    Args:
        root: folder of the recordings.
        source: registered name of the layout; None: MusicNet's if the folder has one of its sub-folders, else "folder".
        console: console to print on.
        options: values of the source's own keys.

    Returns:
        The problems of the folder, of audio files, of rows of labels, and between the splits, one line each.
    """
    source = source or layout_of(root)
    layout = sources[source](root, **options)
    facts: dict[str, list[Facts]] = {}
    lines: list[str] = []
    for split in layout.splits:
        pairs, found = called(f'source {source}: find("{split}")', find_pairs, layout, split)
        lines += found
        results = list(in_order(partial(examine, split=split, source=layout), pairs, f"reading {split}"))
        facts[split] = [fact for fact, _ in results if fact]
        lines += [line for _, found in results for line in found]
    lines += _compared(facts, layout.RESAMPLES)
    remarks = summed(line for line in lines if isinstance(line, Remark))
    # A folder's own problems are found in both splits.
    problems = list(dict.fromkeys(spelled(line) for line in lines if not isinstance(line, Remark)))

    def say(line: str) -> None:
        console.print(spelled(line), markup=False, emoji=False, soft_wrap=True)

    if any(facts.values()):
        typed = "".join(f" data.{key}={value}" for key, value in options.items())
        say(f"{root}, read as data={source}{typed}")
        if layout.remark():
            say(layout.remark())
        console.print(_table(facts))
    for title, said in (("remark", remarks), ("problem", problems)):
        if said or title == "problem":
            count = f"{len(said):,}" if said else "no"
            say(f"{count} {title}{'' if len(said) == 1 else 's'}{':' if said else ''}")
        for line in said:
            if isinstance(line, Changed):
                say(f"{line.what}: {line.notes:,}")
                say(f"  the first: {line.first}")
            else:
                say(line)
    return problems


def _compared(facts: dict[str, list[Facts]], resample: bool) -> list[str]:
    """Compare the audio of all recordings that can be read."""
    known = [(fact, split) for split, part in facts.items() for fact in part]
    prints, paths, of_split = [fact.print for fact, _ in known], [fact.path for fact, _ in known], [s for _, s in known]
    return alike(prints, of_split, paths, lambda index: decode(paths[index], resample=resample).samples, SAMPLE_RATE)


def examine(pair: Pair, split: str, source: Source) -> tuple[Facts | None, list[str]]:
    """Return a recording's facts, None if its audio is unreadable, and all problems of its audio and labels."""
    try:
        audio = decode(pair.audio, resample=source.RESAMPLES)
    except DataError as error:
        return None, [str(error), *check_labels(pair.labels, None, own=source.notes)[1]]
    n_samples, problems = len(audio.samples), []
    least, what = LEAST[split]
    if n_samples < least:
        problems.append(
            f"{pair.audio}: {n_samples} samples, {what} needs at least {least}: "
            "remove the recording or shorten protocol.window"
        )
    notes, wrong = check_labels(pair.labels, audio, own=source.notes)
    boundaries, sounding = label_segments(merged(notes), n_samples)
    durations = np.diff(boundaries, append=n_samples)
    parts = (notes[:, 2], np.bitwise_count(sounding).sum(1), durations, print_of(audio.samples, SAMPLE_RATE))
    facts = Facts(pair.audio, n_samples, audio.file_rate, *parts)
    return facts, problems + wrong


def _table(facts: dict[str, list[Facts]]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    columns = [_column(part) for part in facts.values() if part]
    for split, part in facts.items():
        if part:
            table.add_column(split, justify="right")
    for name in columns[0]:
        table.add_row(name, *(column[name] for column in columns))
    return table


def _column(facts: list[Facts]) -> dict[str, str]:
    """Return the table's entries for one split, by the names of the rows."""
    lengths = [fact.n_samples for fact in facts]
    rates = Counter(fact.file_rate for fact in facts)
    pitches, polyphony, durations = (
        np.concatenate([getattr(fact, part) for fact in facts]) for part in ("pitches", "polyphony", "durations")
    )
    shortest = min(lengths)
    return {
        "recordings that can be read": f"{len(facts):,}",
        "hours": f"{sum(lengths) / SAMPLE_RATE / 3600:.2f}",
        "sample rates": "\n".join(f"{rate:,} Hz ({count:,})" for rate, count in sorted(rates.items())),
        "notes": f"{len(pitches):,}",
        "recordings without a note": f"{sum(len(fact.pitches) == 0 for fact in facts):,}",
        "notes sounding at once, mean over time": f"{np.average(polyphony, weights=durations):.2f}",
        "notes sounding at once, at most": f"{polyphony.max()}",
        "MIDI notes, lowest to highest": f"{pitches.min()} to {pitches.max()}" if len(pitches) else "",
        "shortest recording": f"{shortest / SAMPLE_RATE:.2f} s",
        f"in windows of {WINDOW:,} samples": f"{shortest / WINDOW:.1f}",
    }

"""Pieces of pages that are made from the repository when the site is built: sections, files, tables of results."""

import re
import json
from dataclasses import MISSING, fields
from pathlib import Path

import keys
import pandas as pd
import yaml
from markdown.extensions.toc import slugify

from experiments.correctness import tables as correctness
from experiments.paper.tables import report
from experiments.speed import tables as speed
from sweep import row
from sweep.config.conf import ROWS
from sweep.fields import keys_of, sentences
from sweep.registry import compressions, levels, normalisations, stacks
from sweep.representations.framing import FRAMINGS
from sweep.representations.step import Step

ROOT = Path(__file__).resolve().parents[2]
EXPERIMENTS = ROOT / "experiments"
SPEED = {"cpu": EXPERIMENTS / "speed" / "results-cpu.csv", "cuda": EXPERIMENTS / "speed" / "results-cuda.csv"}


def make(name: str, *arguments: str) -> tuple[str | None, str]:
    """A piece.

    Args:
        name: of a function below.
        arguments: its own.

    Returns:
        The file whose links it has, if it is a part of one, and its Markdown.

    Raises:
        ValueError: there is no such piece.
    """
    makers = {it.__name__: it for it in (section, files, cost, error, protocols, steps, framings, systems, agreement, pictures, tables)} | {"keys": keys.table}
    if name not in makers:
        raise ValueError(f"made: {name}: choose one of {', '.join(makers)}")
    return (arguments[0] if name == "section" else None), makers[name](*arguments)


def section(file: str, anchor: str) -> str:
    """What stands under a heading of a file, without the heading."""
    lines, level, inside = [], 0, False
    fenced = False
    for line in (ROOT / file).read_text().splitlines():
        fenced ^= line.startswith("```")
        heading = None if fenced else re.match(r"(#+) (.+)", line)
        if heading and inside and len(heading[1]) <= level:
            break
        if inside:
            lines.append(line)
        elif heading and slugify(heading[2], "-") == anchor:
            level, inside = len(heading[1]), True
    if not inside:
        raise ValueError(f"{file} has no heading #{anchor}")
    return "\n".join(lines).strip()


def files(pattern: str) -> str:
    """Files of the repository as they are, each under its name."""
    paths = sorted(ROOT.glob(pattern))
    if not paths:
        raise ValueError(f"no file {pattern}")
    form = '```{} title="{}"\n{}```'
    return "\n\n".join(form.format(p.suffix[1:], p.relative_to(ROOT).as_posix(), p.read_text()) for p in paths)


def cost(*families: str) -> str:
    """What the rows of some families cost beside nnAudio and librosa: the sweep's batches, on a GPU also the paper's."""
    parts = []
    for device, path in SPEED.items():
        table = speed.read(path)
        table = table[table.family.isin(families)]
        beyond = (table.workload == "families").any()  # those that the sweep's rows are not of
        for workload in ("families",) if beyond else ("sweep", "paper")[: 1 + (device == "cuda")]:
            of_it = table[table.workload == workload]
            parts += _cost(of_it) if len(of_it) else [f"On a {device.upper()} the {workload} is not measured yet."]
    return "\n\n".join(parts)


def _cost(table: pd.DataFrame) -> list[str]:
    """The table of a workload on a machine, and why what has no time has none."""
    timed = table[table.forward_ms.notna()]
    ways = [way for way in ("ours fast", "ours high", "ours exact", "nnAudio", "librosa") if way in set(timed.label)]
    own = next(way for way in ways if way.startswith("ours"))
    heads = ["", "bins", *ways, f"{own}, with gradient", "peak, MB"]
    lines = [f"| {' | '.join(heads)} |", f"| --- |{' ---: |' * (len(heads) - 1)}"]
    for row, case in timed.groupby("row", sort=False):
        of = {label: front_end.iloc[0] for label, front_end in case.groupby("label")}
        times = " | ".join(_number(of[way].forward_ms) if way in of else "" for way in ways)
        ours = of[own]
        lines.append(f"| {row} | {ours.bins:,} | {times} | {_number(ours.both_ms)} | {ours.peak_mb:,.0f} |")
    first = table.iloc[0]
    where = f"**{first.machine}**, threads: {first.threads}, {first.versions}, November 2026"
    missing = table[table.label.isin(["nnAudio", "librosa"]) & table.reason.notna()]
    reasons = missing.groupby(["label", "reason"]).row.agg(", ".join)
    why = "\n".join(f"- {label}: {reason} ({rows})" for (label, reason), rows in reasons.items())
    return [f"{where}; ms for {first['size']}:", "\n".join(lines), *filter(None, [why])]


def error(*transforms: str) -> str:
    """Relative L2 errors against the float64 definition, the largest over the four signals."""
    rows = [row for row in correctness.read(EXPERIMENTS / "correctness" / "results.csv") if row["signal"]]
    labels = list(dict.fromkeys(correctness.label(row) for row in rows if row["transform"] in transforms))
    heads = ["", *(f"`{transform}`" for transform in transforms)]
    lines = [f"| {' | '.join(heads)} |", f"| --- |{' ---: |' * len(transforms)}"]
    for label in labels:
        cells = []
        for transform in transforms:
            errors = [float(r["error"]) for r in rows if (correctness.label(r), r["transform"]) == (label, transform)]
            cells.append(f"{max(errors):.1e}" if errors else "")
        lines.append(f"| {label} | {' | '.join(cells)} |")
    return "\n".join(lines)


def protocols() -> str:
    """Accuracy of all rows under both protocols, means and standard deviations of seeds, and each row's place."""
    table = pd.read_csv(EXPERIMENTS / "protocols" / "results.csv")
    places = table[["accuracy_paper", "accuracy_converged"]].rank(ascending=False, method="min").astype(int)
    lines = ["| | bins | paper | place | converged | place |", "| --- | ---: | ---: | ---: | ---: | ---: |"]
    for row, place in zip(table.itertuples(), places.itertuples(index=False), strict=True):
        paper = f"{row.accuracy_paper:.3f} ± {row.accuracy_sd_paper:.3f} | {place[0]}"
        converged = f"{row.accuracy_converged:.3f} ± {row.accuracy_sd_converged:.3f} | {place[1]}"
        lines.append(f"| {row.representation} | {row.bins:,} | {paper} | {converged} |")
    return "\n".join(lines)


def steps(kind: str) -> str:
    """The steps of one kind with their formulas and keys, from their classes."""
    known = {"level": levels, "compression": compressions, "normalisation": normalisations, "stack": stacks}[kind]
    lines = [f"| {kind} | | key | default | takes | |", "| --- | --- | --- | --- | --- | --- |"]
    for name in known:
        cls = known[name]
        about, said = " ".join(cls.__doc__.split()).replace("|", "\\|"), sentences(cls)
        own = [field for field in keys_of(cls) if field.name != "name"]
        for number, field in enumerate(own or [None]):
            first = f"`{name}` | {about}" if number == 0 else " | "
            if field is None:
                lines.append(f"| {first} | | | | |")
                continue
            default = "" if field.default is MISSING else f"`{json.dumps(field.default)}`"
            takes = field.metadata["key"].takes
            lines.append(f"| {first} | `{field.name}` | {default} | {takes} | {said[field.name]} |")
    return "\n".join(lines)


def framings() -> str:
    """The framings in words."""
    return "\n".join(["| framing | |", "| --- | --- |", *(f"| `{name}` | {it.words} |" for name, it in FRAMINGS.items())])


def systems() -> str:
    """The rows of published systems: their numbers, from their files."""
    heads = "| row | Hz | hop, ms | channels x bins | level | compression | normalisation, stack |"
    lines = [heads, "| --- | ---: | ---: | ---: | --- | --- | --- |"]
    for name in grid("systems"):
        it = row(name)
        shape = f"{it.n_channels} x {it.bins}" if it.n_channels > 1 else f"{it.bins}"
        after = ", ".join(_step(step) for step in (it.normalisation, it.stack) if step.name != "none")
        cells = [f"`{name}`", f"{it.sample_rate:,}", f"{1000 * it.hop_length / it.sample_rate:.1f}", shape]
        lines.append(f"| {' | '.join([*cells, _step(it.level), _step(it.compression), after])} |")
    return "\n".join(lines)


def agreement() -> str:
    """Differences between the rows of published systems and their own code, measured in experiments/systems."""
    table = pd.read_csv(EXPERIMENTS / "systems" / "agreement.csv", dtype=str)
    lines = ["| row | span | largest | median | cells within |", "| --- | ---: | ---: | ---: | ---: |"]
    lines += [f"| `{it.row}` | {it.span} | {it.largest} | {it.median} | {it.within} % |" for it in table.itertuples()]
    return "\n".join(lines)


def pictures() -> str:
    """The rows of published systems: what each is, and what it sees of the same eight seconds."""
    parts = []
    for name in grid("systems"):
        comments = [line for line in (ROWS / f"{name}.yaml").read_text().splitlines() if line.startswith("# ")]
        first, *rest = (line.removeprefix("# ") for line in comments)
        parts.append(f"### {name}\n\n{first} {' '.join(rest)}\n\n![{name}](figures/system-{name}.png)")
    return "\n\n".join(parts)


def grid(name: str) -> list[str]:
    """The rows of a grid."""
    text = (ROOT / "conf" / "grid" / f"{name}.yaml").read_text()
    return yaml.safe_load(text)["hydra"]["sweeper"]["params"]["representation"].replace(" ", "").split(",")


def _step(step: Step) -> str:
    """A step's name with its keys that are not the usual ones."""
    usual = {field.name: field.default for field in fields(step)}
    keys = {key: value for key, value in step.record().items() if key != "name" and value != usual[key]}
    return " ".join([step.name, *(f"{key}={value}" for key, value in keys.items())])


def tables() -> str:
    """The paper's tables, without the sweeps of this checkout."""
    return report(None)


def _number(value: float) -> str:
    """Three digits."""
    return "" if pd.isna(value) else f"{float(f'{value:.3g}'):,g}"

"""The results as Markdown."""

import csv
from pathlib import Path

from experiments.preprocessing.extraction import HOURS, LIBRARIES
from experiments.preprocessing.training import EPOCH_WINDOWS, FULL, SEGMENTS, Cost, Size

COMPARISON = (
    "representation", "bins", "linear_first_s", "linear_fly_ms", "linear_stored_ms", "linear_over_stored",
    "linear_host_ms", "linear_over_host", "linear_fly_epoch_s", "linear_stored_epoch_s", "linear_fly_mb",
    "linear_stored_mb", "store_windows", "epoch_mb", "crnn_batch", "crnn_first_s", "crnn_fly_ms", "crnn_stored_ms",
    "crnn_over_stored", "crnn_fly_epoch_s", "crnn_stored_epoch_s", "crnn_fly_mb", "crnn_stored_mb", "reason",
)  # fmt: skip
EXTRACTION = (
    "representation", "bins", "library", "audio_seconds", "seconds", "writing", "hours_of_musicnet",
    "gigabytes_of_musicnet", "note", "reason",
)  # fmt: skip
BAR = 1.1  # on the fly over stored


def costs(model: str, found: dict[str, Cost], epoch: float) -> dict:
    """The columns of a model; an epoch is so many steps."""
    fly, row = found["fly"], {}
    row[f"{model}_first_s"] = round(fly.first, 3)
    for side, cost in found.items():
        row[f"{model}_{side}_ms"] = round(cost.step, 3)
        if side != "fly":
            row[f"{model}_over_{side}"] = round(fly.step / cost.step, 2)
        if side != "host":
            row[f"{model}_{side}_epoch_s"] = round(cost.step * epoch / 1e3, 1)
            row[f"{model}_{side}_mb"] = round(cost.peak / 1e6)
    return row


def read(path: Path) -> list[dict]:
    """The rows of a file, as text; none where it is missing."""
    if not path.exists():
        return []
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def report(folder: Path, device: str, size: Size) -> str:
    """All tables, with the size that was measured."""
    compared, extracted = read(folder / f"results-{device}.csv"), read(folder / f"extraction-{device}.csv")
    lines = [f"{compared[0]['machine']}.", ""]
    if size != FULL:
        lines += [
            f"Reduced: batches of {size.windows} windows instead of {FULL.windows}; {size.segments} segment of "
            f"{size.segment:,} samples instead of {FULL.segments} of {FULL.segment:,}.",
            "",
        ]
    if compared[0]["linear_fly_ms"]:
        lines += [
            f"**Linear model**, {size.windows} windows of 16,384 samples a step; an epoch is {EPOCH_WINDOWS:,}.",
            "",
        ]
        lines += steps(compared, "linear")
    if compared[0]["crnn_fly_ms"]:
        lines += ["", f"**CNN + biLSTM**, segments of {size.segment:,} samples; an epoch is {SEGMENTS} of 327,680.", ""]
        lines += steps(compared, "crnn")
    if extracted:
        lines += ["", *extraction(extracted)]
    return "\n".join(lines)


def steps(rows: list[dict], model: str) -> list[str]:
    """Of one model: a line a representation, and which are over the bar."""
    host = bool(rows[0].get(f"{model}_host_ms"))
    heads = ["", "first step, s", "on the fly, ms", "stored, ms", "ratio"]
    heads += ["stored on host, ms", "ratio"] if host else []
    heads += ["epoch, s", "stored, s", "peak, MB", "stored, MB"]
    heads += ["windows stored", "an epoch's, MB"] if model == "linear" else ["batch"]
    keys = ["first_s", "fly_ms", "stored_ms", "over_stored", *(["host_ms", "over_host"] if host else [])]
    keys += ["fly_epoch_s", "stored_epoch_s", "fly_mb", "stored_mb"]
    lines = [f"| {' | '.join(heads)} |", f"| --- |{' ---: |' * (len(heads) - 1)}"]
    for row in rows:
        cells = [row["representation"], *(row[f"{model}_{key}"] for key in keys)]
        cells += [row["store_windows"], row["epoch_mb"]] if model == "linear" else [row["crnn_batch"]]
        lines.append(f"| {' | '.join(cells)} |")
    over = [f"{row['representation']} ({row[f'{model}_over_stored']})" for row in rows if slower(row, model)]
    slowest = max(rows, key=lambda row: float(row[f"{model}_first_s"]))
    lines += ["", f"- Over {BAR} times the stored: {', '.join(over) or 'none'}: {len(over)} of {len(rows)} rows."]
    if host:
        over = [f"{r['representation']} ({r['linear_over_host']})" for r in rows if float(r["linear_over_host"]) > BAR]
        lines.append(f"- Over {BAR} times the stored on the host: {', '.join(over) or 'none'}: {len(over)} rows.")
    lines.append(f"- The longest to the first step: {slowest['representation']}, {slowest[f'{model}_first_s']} s.")
    for side in ("fly", "stored"):
        total = sum(float(row[f"{model}_{side}_epoch_s"]) for row in rows)
        lines.append(f"- An epoch of all these rows, {'on the fly' if side == 'fly' else side}: {total:,.0f} s.")
    return lines


def slower(row: dict, model: str) -> bool:
    """Whether a row is over the bar."""
    return float(row[f"{model}_over_stored"]) > BAR


def extraction(rows: list[dict]) -> list[str]:
    """A line a representation: hours that MusicNet would take each library, and gigabytes."""
    part = next(row["audio_seconds"] for row in rows if row["audio_seconds"])
    lines = [f"**Extraction** of MusicNet's {HOURS:g} hours, measured on {part} s of audio and scaled: hours.", ""]
    lines += ["| | " + " | ".join(LIBRARIES) + " | of ours writing | on disk, GB |", f"| --- |{' ---: |' * 5}"]
    of = {(row["representation"], row["library"]): row for row in rows}
    names = list(dict.fromkeys(row["representation"] for row in rows))
    for name in names:
        ours = of[name, "ours"]
        writing = f"{100 * float(ours['writing']) / float(ours['seconds']):.0f} %" if ours["seconds"] else ""
        cells = [
            of[name, library]["hours_of_musicnet"] + "*" * bool(of[name, library]["note"]) for library in LIBRARIES
        ]
        lines.append(f"| {name} | {' | '.join(cells)} | {writing} | {ours['gigabytes_of_musicnet']} |")
    common = [name for name in names if all(of[name, it]["hours_of_musicnet"] for it in LIBRARIES)]
    for label, some in (("all", names), (f"the {len(common)} that all have", common)):
        if not some:
            continue
        totals = []
        for library in LIBRARIES:
            hours = [of[name, library]["hours_of_musicnet"] for name in some]
            totals.append(f"{sum(map(float, hours)):.2f}" if hours and all(hours) else "")
        size = sum(float(of[name, "ours"]["gigabytes_of_musicnet"]) for name in some)
        lines.append(f"| **{label}** | {' | '.join(totals)} | | {size:,.0f} |")
    lines += ["", "- The first step from stored spectrograms of MusicNet comes after these hours."]
    notes = {row["note"].partition(";")[0] for row in rows if row["note"]}
    lines += [*(f"- * {note}: CQT1992v2's kernels are too large here." for note in sorted(notes))]
    reasons: dict[str, list[str]] = {}
    for row in rows:
        if row["reason"]:
            reasons.setdefault(f"{row['library']}: {row['reason']}", []).append(row["representation"])
    lines += [
        f"- {why} ({', '.join(of_it) if len(of_it) < 12 else f'{len(of_it)} rows'})" for why, of_it in reasons.items()
    ]
    return lines

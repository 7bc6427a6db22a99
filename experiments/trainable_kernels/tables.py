"""The results as Markdown, beside what was published."""

import argparse
import statistics
from pathlib import Path

from experiments.trainable_kernels.cells import FRONT_ENDS, HEADS, PARTS, PUBLISHED
from experiments.trainable_kernels.records import Records
from experiments.trainable_kernels.spectra import SHOWN, initial_taps, loudest_above

WITHIN = 3.0  # times the published test MSE that an STFT cell may be off


def line(row: dict) -> str:
    """A finished run in one line."""
    kind = "trainable" if int(row["trainable"]) else "fixed"
    name = f"{row['protocol']} {row['front_end']} {row['head']} {kind}, seed {row['seed']}, rate {row['rate']:g}"
    return f"{name}: test MSE {row['test_mse']:.3g} after {row['epochs']} epochs, {row['seconds']} s"


def report(records: Records) -> str:
    """All tables, with the size and the machine."""
    if not records.results:
        return "No results."
    lines = [f"{_machines(records.results)}. {records.results[0]['size'].capitalize()}."]
    for protocol, table in (("published", published), ("fair", fair), ("separate", separate)):
        rows = [row for row in records.results if row["protocol"] == protocol]
        if protocol == "separate" and rows:
            rows += [row for row in records.results if row["protocol"] == "fair" and row["trainable"] == "0"]
        if rows:
            lines += ["", *table(rows)]
    for protocol in PARTS[1:]:
        rows = [row for row in records.rates if row["protocol"] == protocol]
        if rows:
            lines += ["", *rates(rows)]
    if records.taps:
        lines += ["", *kernels(records.taps)]
    return "\n".join(lines)


def published(rows: list[dict]) -> list[str]:
    """The paper's settings: ours and the paper's test MSE, and how many times fixed is above trainable."""
    full = rows[0]["size"].startswith("full")
    lines = [
        f"**As published**: test MSE after {rows[0]['epochs']} epochs.",
        "",
        "| | fixed | the paper's | trainable | the paper's | fixed / trainable | the paper's | kernels moved by |",
        f"| --- |{' ---: |' * 7}",
    ]
    better, cells, apart = 0, 0, []
    for name, (fixed, trained) in _pairs(rows).items():
        *_, paper_trained, paper_fixed = PUBLISHED[name]
        ours, theirs = _mse(fixed[0]) / _mse(trained[0]), paper_fixed / paper_trained
        better, cells = better + (ours > 1), cells + 1
        cells_of_it = [f"{_mse(fixed[0]):.3g}", f"{paper_fixed:.3g}", f"{_mse(trained[0]):.3g}", f"{paper_trained:.3g}"]
        cells_of_it += [_times(ours), _times(theirs), _moved(trained[0])]
        lines.append(f"| {' '.join(name)} | {' | '.join(cells_of_it)} |")
        if name[0] == "STFT":
            pairs = (("fixed", _mse(fixed[0]) / paper_fixed), ("trainable", _mse(trained[0]) / paper_trained))
            apart += [f"{' '.join(name)} {kind} {times:.2g}" for kind, times in pairs]
    lines += ["", f"- Trainable is better than fixed in {better} of {cells} cells."]
    if full and apart:
        within = [1 / WITHIN <= float(it.split()[-1]) <= WITHIN for it in apart]
        lines.append(
            f"- STFT, ours over the paper's: {', '.join(apart)}; within a factor of {WITHIN:g}: "
            f"{sum(within)} of {len(within)}."
        )
    return lines


def fair(rows: list[dict]) -> list[str]:
    """Split by frequency, rates searched: mean and standard deviation over seeds, and what remains of the ratio."""
    head = "**Fair**: split by frequency, one rate for all weights of a cell, chosen by the search;"
    return _compared(rows, head, "rate")


def separate(rows: list[dict]) -> list[str]:
    """The same with a rate of the kernels' own, and the head's that was chosen for fixed kernels."""
    head = "**Fair, a rate of the kernels' own**: the head has the rate chosen for fixed kernels;"
    return _compared(rows, head, "kernel_rate")


def _compared(rows: list[dict], head: str, rate: str) -> list[str]:
    what = "rate" if rate == "rate" else "kernels' rate"
    lines = [
        f"{head} test MSE after {rows[0]['epochs']} epochs, mean ± standard deviation over seeds; the ratio of the "
        "means, and the least and the greatest of a seed's.",
        "",
        f"| | rate | fixed | {what} | trainable | fixed / trainable | by seed | the paper's | kernels moved by |",
        f"| --- |{' ---: |' * 8}",
    ]
    for name, (fixed, trained) in _pairs(rows).items():
        *_, paper_trained, paper_fixed = PUBLISHED[name]
        ratios = [_mse(f) / _mse(t) for f, t in zip(fixed, trained, strict=False)]
        means = [statistics.fmean(map(_mse, runs)) for runs in (fixed, trained)]
        cells = [fixed[0]["rate"], _spread(fixed), trained[0][rate], _spread(trained), _times(means[0] / means[1])]
        cells += [f"{_times(min(ratios))} to {_times(max(ratios))}", _times(paper_fixed / paper_trained)]
        lines.append(f"| {' '.join(name)} | {' | '.join(cells)} | {_moved(trained[0])} |")
    return lines


def rates(rows: list[dict]) -> list[str]:
    """A search: the validation MSE that each learning rate reached, and after how many epochs."""
    separate = bool(rows[0]["kernel_rate"])
    column = "kernel_rate" if separate else "rate"
    known = list(dict.fromkeys(row[column] for row in rows))
    lines = [
        f"**{'Rates of the kernels' if separate else 'Learning rates'}**: validation MSE in the search, in brackets "
        "the epochs that a rate had; the chosen one in bold.",
        "",
        f"| | {' | '.join(f'{float(rate):g}' for rate in known)} |",
        f"| --- |{' ---: |' * len(known)}",
    ]
    edges = []
    for key in dict.fromkeys((row["front_end"], row["head"], row["trainable"]) for row in rows):
        of_it = [row for row in rows if (row["front_end"], row["head"], row["trainable"]) == key]
        name = f"{key[0]} {key[1]} {'trainable' if key[2] == '1' else 'fixed'}"
        cells = [f"{float(it['validation_mse']):.2g} ({it['epochs']})" for it in of_it]
        chosen = [it["chosen"] == "1" for it in of_it]
        lines.append(f"| {name} | {' | '.join(f'**{c}**' if b else c for c, b in zip(cells, chosen, strict=True))} |")
        if chosen[0] or chosen[-1]:
            edges.append(name)
    return [*lines, "", f"- At an end of the grid: {', '.join(edges) or 'none'}."]


def kernels(taps: dict) -> list[str]:
    """What the kernels that were kept hear above their own main lobe, before training and after."""
    columns = [(protocol, head) for protocol in PARTS for head in HEADS]
    columns = [it for it in columns if any(name.startswith(f"{it[0]}/") and f"/{it[1]}/" in name for name in taps)]
    lines = [
        "**Kernels**: what each hears loudest above its own main lobe, in dB against its own frequency, and at which "
        "multiple of that.",
        "",
        f"| | initial | {' | '.join(' '.join(it) for it in columns)} |",
        f"| --- |{' ---: |' * (1 + len(columns))}",
    ]
    for front_end, bin in ((name, bin) for name in FRONT_ENDS for bin in SHOWN[name]):
        frequency, initial = initial_taps(front_end, bin)
        trained = [taps.get(f"{protocol}/{front_end}/{head}/{bin}") for protocol, head in columns]
        heard = [
            "" if it is None else "{:.0f} ({:.1f})".format(*loudest_above(it, frequency)) for it in (initial, *trained)
        ]
        lines.append(f"| {front_end}, {frequency:,.0f} Hz | {' | '.join(heard)} |")
    return lines


def _pairs(rows: list[dict]) -> dict[tuple[str, str], tuple[list[dict], list[dict]]]:
    """Front-end and head -> its fixed and its trainable runs, by seed, where there are both."""
    found = {}
    for name in ((f, h) for f in FRONT_ENDS for h in HEADS):
        of_it = sorted((row for row in rows if (row["front_end"], row["head"]) == name), key=lambda row: row["seed"])
        sides = tuple([row for row in of_it if row["trainable"] == side] for side in "01")
        if all(sides):
            found[name] = sides
    return found


def _mse(row: dict) -> float:
    return float(row["test_mse"])


def _spread(runs: list[dict]) -> str:
    found = [_mse(run) for run in runs]
    deviation = f" ± {statistics.stdev(found):.1g}" if len(found) > 1 else ""
    return f"{statistics.fmean(found):.3g}{deviation}"


def _times(ratio: float) -> str:
    return f"{ratio:,.0f}" if ratio >= 100 else f"{ratio:.2g}"


def _moved(row: dict) -> str:
    bank = f", bank {float(row['bank_moved']):.0%}" if row["bank_moved"] else ""
    return f"{float(row['kernels_moved']):.0%}{bank}"


def _machines(rows: list[dict]) -> str:
    return "; ".join(dict.fromkeys(row["machine"] for row in rows))


def main() -> None:
    """Print the tables of the results in a folder, full and reduced."""
    parser = argparse.ArgumentParser(prog="python -m experiments.trainable_kernels.tables", description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=Path(__file__).parent)
    folder = parser.parse_args().folder
    for suffix in ("", "-reduced"):
        records = Records(folder, suffix)
        if records.results:
            print(report(records) + "\n")


if __name__ == "__main__":
    main()

"""The paper's tables of what is right: figures 12 to 14, trained kernels, and the transcription tables of P2."""

import datetime
from pathlib import Path

import pandas as pd

from experiments.correctness import tables as correctness
from experiments.paper.published import UNKNOWN, Published, digits, read, table
from sweep.results.result import RESULT
from sweep.results.table import build_table

# The transforms of figures 12 to 14 in their order: ours and nnAudio's by experiments/correctness's names.
FIGURES_12_14 = {
    "STFT": ("stft", ("nnAudio STFT", "ours exact", "librosa")),
    "log STFT": ("log-stft", ("nnAudio STFT", "ours exact")),
    "Mel": ("mel", ("nnAudio Mel", "ours exact", "librosa")),
    "CQT1992v2": ("cqt", ("nnAudio CQT1992v2", "ours exact", "ours 1992v2 exact")),
    "CQT2010": ("cqt", ("nnAudio CQT2010", "ours 2010 exact")),
    "CQT2010v2": ("cqt", ("nnAudio CQT2010v2", "ours 2010v2 exact")),
    "librosa's CQT": ("cqt", ("librosa",)),
}
FRONT_ENDS, HEADS = ("STFT", "Mel", "CQT"), ("FC", "CNN")
FAMILIES = ("linear", "log", "mel", "cqt")
PROTOCOLS = ("paper", "converged")
SCORES = {"accuracy": "Acc", "e_tot": "Etot", "precision": "P", "recall": "R", "average_precision": "AP"}
_MACHINE = "two H200, torch 2.11, November 2026; trained on eight recordings of piano, scored on MusicNet's 2303"


def figures_12_14(published: Published, experiments: Path) -> list[str]:
    """What was seen in the pictures, and the errors that were measured."""
    lines = ["## Figures 12 to 14: correctness", "", "Relative L2 error against the definition in float64."]
    results = read(experiments / "correctness" / "results.csv")
    if not results:
        return [*lines, "", "Not measured yet (experiments/correctness)."]
    signals = list(dict.fromkeys(row["signal"] for row in results if row["signal"]))
    rows = []
    for name, (transform, labels) in FIGURES_12_14.items():
        finding = published("figures 12-14", name, "finding")
        for label in labels:
            of_it = {
                row["signal"]: row
                for row in results
                if row["transform"] == transform and correctness.label(row) == label and row["signal"]
            }
            errors = [digits(float(of_it[signal]["error"]), 2) if signal in of_it else "none" for signal in signals]
            aliasing = next((row["aliasing_db"] for row in of_it.values() if row["aliasing_db"]), "")
            rows.append([name, finding, label, *errors, f"{float(aliasing):.0f}" if aliasing else ""])
            finding = ""
    return [
        *lines,
        *table(["", "published, seen against librosa", "measured", *signals, "aliasing, dB"], rows),
        "- Two cores of an AMD EPYC (Zen 5), one thread, float32, November 2026. librosa by its own convention; "
        "CQT with 207 bins, up to 21,096 Hz.",
        f"- Published: {published.sources('figures 12-14')}; no numbers.",
    ]


def section_v_b(published: Published, experiments: Path) -> list[str]:
    """Test errors of the frequency of sines, kernels fixed and trained."""
    lines = ["## Section V-B: trainable kernels", "", "Test MSE of the frequency of sines."]
    results = read(experiments / "trainable_kernels" / "results.csv")  # the reduced ones say nothing about the claim
    heads, rows = ["", "kernels", "published", "ours, as published", "ours, fair"], []
    for name in [f"{front_end} {head}" for front_end in FRONT_ENDS for head in HEADS]:
        for trainable, kind in (("0", "fixed"), ("1", "trainable")):
            cells = []
            for protocol in ("published", "fair"):
                of_it = [row for row in results if (row["trainable"], row["protocol"]) == (trainable, protocol)]
                errors = [float(row["test_mse"]) for row in of_it if f"{row['front_end']} {row['head']}" == name]
                cells.append(digits(sum(errors) / len(errors)) if errors else "not measured")
            rows.append([name, kind, published("section V-B", name, kind), *cells])
    if results:
        where = (
            f"- {results[0]['machine']}; November 2026; {results[0]['size']}. Fair: no frequency on both sides of the "
        )
        where += "split, a searched learning rate for each cell, the mean over seeds."
    else:
        where = "- Ours: not measured yet (experiments/trainable_kernels, `results.csv`)."
    return [*lines, *table(heads, rows), where, f"- Published: {published.sources('section V-B')}."]


def transcription(published: Published, experiments: Path) -> list[str]:
    """The tables of P2: what the choice of a representation is worth, and all representations."""
    lines = ["## The transcription tables of P2", ""]
    results = experiments / "protocols" / "results.csv"
    if not results.exists():
        return [*lines, "Not measured yet (experiments/protocols)."]
    ours = pd.read_csv(results).set_index("representation")
    seeds = f"means of {ours.seeds_paper.min()} seeds"
    lines.append(
        f"Ours: {_MACHINE}, {seeds}. Theirs, MusicNet's ten test recordings: orders can be compared, values not."
    )
    gained, avoided = (published("IJCNN", "best", what) for what in ("accuracy gained", "error avoided"))
    rows = [
        ["best of 34", published("IJCNN", "best", "representation"), *(_best(ours, p) for p in PROTOCOLS)],
        ["place of log-4096", "1", *(str(_places(ours, p)["log-4096"]) for p in PROTOCOLS)],
        ["accuracy gained by choosing it", f"{gained} %", *(_gain(ours, p) for p in PROTOCOLS)],
        ["error avoided by choosing it", f"{avoided} %", *["not kept"] * 2],
        ["Mel, 512 bins", published("IJCNN", "Mel, 512 bins", "accuracy"), *(_share(ours, p) for p in PROTOCOLS)],
    ]
    lines += table(["", "published", *(f"ours, `{protocol}`" for protocol in PROTOCOLS)], rows)
    anchor = "Mel (HTK), 1,024 bands, n_fft 4096, bank trained"
    theirs = [published("IJCNN", anchor, score) for score in ("accuracy", "e_tot", "average_precision")]
    mel = ours.loc["mel-4096-1024"]
    rows = [
        [f"{anchor}; MusicNet, published", *theirs],
        *(
            [
                f"mel-4096-1024, `{protocol}`, ours",
                _three(mel[f"accuracy_{protocol}"]),
                "not kept",
                _three(mel[f"average_precision_{protocol}"]),
            ]
            for protocol in PROTOCOLS
        ),
    ]
    lines += table(["", "Acc", "Etot", "AP"], rows)
    for family in FAMILIES:
        rows = [
            [name, f"{row.bins:,.0f}", UNKNOWN, *(_three(row[f"accuracy_{p}"]) for p in PROTOCOLS), UNKNOWN]
            + [_three(row[f"average_precision_{p}"]) for p in PROTOCOLS]
            for name, row in ours.iterrows()
            if name.startswith(family)
        ]
        heads = [f"**{family}**", "bins"]
        for score in ("Acc", "AP"):
            heads += [f"{score}, published", *(f"{score}, `{protocol}`" for protocol in PROTOCOLS)]
        lines += table(heads, rows)
    return [
        *lines,
        "- What the gain of 8.33 % is over is unknown. Ours is log-4096 over the mean of all 34; Mel is mel-4096-512.",
        f"- Published: {published.sources('IJCNN')}.",
    ]


def _places(ours: pd.DataFrame, protocol: str) -> pd.Series:
    return ours[f"accuracy_{protocol}"].rank(ascending=False, method="min").astype(int)


def _best(ours: pd.DataFrame, protocol: str) -> str:
    accuracy = ours[f"accuracy_{protocol}"]
    return f"{accuracy.idxmax()}, {accuracy.max():.3f}"


def _gain(ours: pd.DataFrame, protocol: str) -> str:
    accuracy = ours[f"accuracy_{protocol}"]
    return f"{100 * (accuracy['log-4096'] / accuracy.mean() - 1):.1f} %"


def _share(ours: pd.DataFrame, protocol: str) -> str:
    accuracy = ours[f"accuracy_{protocol}"]
    return f"{100 * accuracy['mel-4096-512'] / accuracy.max():.0f} % of the best"


def _three(value: float) -> str:
    return f"{value:.3f}"


def sweeps(runs: Path) -> list[str]:
    """Every finished sweep of the paper's or the converged protocol below a folder, in the same form."""
    lines = ["## Your sweeps", ""]
    folders = [path for protocol in PROTOCOLS for path in sorted(runs.glob(f"*/{protocol}")) if path.is_dir()]
    found = {folder: done for folder in folders if len(done := _done(folder))}
    if not found:
        wanted = " or ".join(f"`protocol={protocol}`" for protocol in PROTOCOLS)
        return [*lines, f"None below {runs}/: finish a sweep with {wanted}, and this table has it."]
    for folder, done in found.items():
        last = max((folder / run / RESULT).stat().st_mtime for run in done.run)
        day = datetime.date.fromtimestamp(last)
        lines += [f"**{folder.parent.name}, `{folder.name}`**: {', '.join(done.device.unique())}; {day}."]
        rows = []
        for (model, variant, name), row in done.groupby(["model", "variant", "representation"], sort=False):
            label = name + (f"+{variant}" if variant else "") + (f" ({model})" if model != "linear" else "")
            scores = [_three(row[score].mean()) for score in SCORES]
            rows.append([label, str(row.bins.iloc[0]), UNKNOWN, *scores, str(len(row)), str(row.recordings.iloc[0])])
        lines += table(["", "bins", "Acc, published", *SCORES.values(), "seeds", "test recordings"], rows)
        if (done.source == "demo").any():
            lines.append("- Synthetic demo data: no evidence about recorded music.")
    return lines


def _done(folder: Path) -> pd.DataFrame:
    runs = build_table(folder)
    return runs[runs.status == "done"]

"""The paper's tables of time: figure 11, the extraction of MusicNet, and section V-A, on the fly against stored."""

from pathlib import Path

from experiments.paper.published import UNKNOWN, Published, digits, read, table

ALL = 34  # representations
CLIPS = 1770  # of 80,000 samples, from MAPS
CARDS = ("GTX 1070 Ti", "RTX 2080 Ti", "V100")
DEVICES = {"cuda": "GPU", "cpu": "CPU"}
# The front-ends of figure 11 in its order: whose result ours is, by experiments/speed's names, and on what. CQT1992 is
# not in it.
FIGURE_11 = {
    "librosa": ("librosa", "", "cpu"),
    "nnAudio on the CPU (CQT2010)": ("nnAudio", "float32", "cpu"),
    "nnAudio on the GPU (CQT2010)": ("nnAudio", "float32", "cuda"),
    "nnAudio CQT1992 on the CPU": ("nnAudio CQT1992", "float32", "cpu"),
    "nnAudio CQT1992 on the GPU": ("nnAudio CQT1992", "float32", "cuda"),
    "nnAudio CQT2010v2 on the GPU": ("nnAudio CQT2010v2", "float32", "cuda"),
    "nnAudio CQT1992v2 on the GPU": ("nnAudio", "float32", "cuda"),
    "Kapre": ("Kapre", "", "cuda"),
    "tf.signal": ("tf.signal", "", "cuda"),
    "torchaudio": ("torchaudio", "", "cuda"),
}
# Which transform of ours a column is; its STFT and Mel are nnAudio's whatever the constant-Q algorithm.
COLUMNS = {"STFT": "stft-2048", "Mel": "mel-2048-128-full", "CQT": "cqt-24-168"}
OF_CQT = "nnAudio CQT2010"  # by experiments/speed's name, where figure 11 says CQT2010
# The rows of section V-A, and ours that are nearest: a linear STFT below 6 kHz, and n_fft 2048, since P1 says none.
SECTION_V_A = {"STFT 4096": "linear-4096", "Mel 512": "mel-2048-512", "CQT 36 per octave": "cqt-36"}
EPOCHS = 100


def figure_11(published: Published, experiments: Path) -> list[str]:
    """Seconds for 1,770 clips: theirs on three cards, ours."""
    ours = {device: read(experiments / "speed" / f"results-{device}.csv") for device in DEVICES}
    ours = {device: [row for row in rows if row["workload"] == "paper"] for device, rows in ours.items()}
    lines = ["## Figure 11: speed", "", f"Seconds for {CLIPS:,} clips of 80,000 samples at 44.1 kHz, hop 512."]
    for column, case in COLUMNS.items():
        rows = []
        for name, (front_end, mode, device) in FIGURE_11.items():
            theirs = [published("figure 11", name, f"{column}, {card}") for card in CARDS]
            if set(theirs) == {UNKNOWN} and (column != "CQT" or "CQT" not in name):  # it has no such transform
                continue
            algorithm = OF_CQT if column == "CQT" and name.endswith("(CQT2010)") else front_end
            mine = _seconds(ours[device], case, algorithm, mode)
            rows.append([name, *theirs, mine, DEVICES[device]])
        for device in DEVICES:
            for mode in ("fast", "high", "exact"):
                mine = _seconds(ours[device], case, "ours", mode)
                rows.append([f"**ours, {mode}, on the {DEVICES[device]}**", "", "", "", mine, DEVICES[device]])
        lines += table([f"**{column}**", *CARDS, "measured", "on"], rows)
    for device, rows in ours.items():
        if not rows:
            lines.append(f"- {DEVICES[device]}: not measured yet (experiments/speed, `results-{device}.csv`).")
            continue
        first = rows[0]
        machine = f"{first['machine']}, {first['threads']} threads, {first['versions']}, November 2026"
        size = f"{first['size']}{_scaled(first['size'])}, windows of {first['music']} instead of MAPS"
        lines.append(f"- Measured on the {DEVICES[device]}: {machine}; {size}.")
    return [
        *lines,
        "- The published times on a GPU are times of launching: the scripts do not wait for it, and a V100 cannot do "
        "the arithmetic in 1 ms (experiments/speed). Ours wait.",
        "- CQT: 24 bins per octave from 55 Hz, 168 bins; of the published ones 168 in the notebooks, 84 in a script.",
        "- Of CQT1992 few clips were timed, scaled to all (experiments/speed); nothing is published.",
        f"- Published: {published.sources('figure 11')}.",
    ]


def _clips(size: str) -> int:
    """How many clips were timed: "32 clips x 80,000 in batches of 16, reduced from 1,770 clips"."""
    return int(size.split(" clips")[0].replace(",", ""))


def _scaled(size: str) -> str:
    return "" if _clips(size) == CLIPS else f"; times {CLIPS / _clips(size):g}"


def _seconds(rows: list[dict], case: str, front_end: str, mode: str) -> str:
    """A measured time for all clips, or why there is none."""
    if not rows:
        return "not measured"
    found = [row for row in rows if (row["row"], row["front_end"]) == (case, front_end) and mode in ("", row["mode"])]
    if not found:
        return "not measured"
    if not found[0]["forward_ms"]:
        return "none"
    return digits(float(found[0]["forward_ms"]) / 1e3 * CLIPS / _clips(found[0]["size"]))


def extraction(published: Published, experiments: Path) -> list[str]:
    """Hours of extracting MusicNet to disk."""
    lines = ["## Extraction of MusicNet", "", "Hours to compute and write all representations."]
    column = "34 representations of MusicNet"
    rows, notes = [], []
    for device, where in DEVICES.items():
        found = read(experiments / "preprocessing" / f"extraction-{device}.csv")
        if not found:
            notes.append(f"- {where}: not measured yet (experiments/preprocessing, `extraction-{device}.csv`).")
            continue
        timed = {}
        for row in found:
            if row["hours_of_musicnet"]:
                timed.setdefault(row["library"], {})[row["representation"]] = float(row["hours_of_musicnet"])
        shared = set.intersection(*map(set, timed.values()))
        for library, hours in timed.items():
            theirs = published("extraction", library, column) if library != "ours" else ""
            full = digits(sum(hours.values())) if len(hours) == ALL else f"has {len(hours)} of {ALL}"
            rows.append([f"{library}, {where}", theirs, full, digits(sum(hours[name] for name in shared))])
        notes.append(
            f"- {where}: {found[0]['machine']}; November 2026; {found[0]['audio_seconds']} s of audio, scaled."
        )
        notes.append(f"- Rows that all libraries have on the {where}: {len(shared)}.")
    lines += table(["", "published, mean over machines", "measured, all 34", "measured, rows that all have"], rows)
    return [*lines, *notes, f"- Published: {published.sources('extraction')}; its 34 are not all ours."]


def section_v_a(published: Published, experiments: Path) -> list[str]:
    """100 epochs of a CNN and biLSTM: spectrograms stored first, stored already, on the fly, and trained."""
    ways = ("first-time storing", "stored", "on the fly", "trainable")
    lines = ["## Section V-A: on the fly", "", f"Seconds for {EPOCHS} epochs of a CNN and biLSTM on MusicNet."]
    rows = [[f"{name}, published", *(published("section V-A", name, way) for way in ways)] for name in SECTION_V_A]
    notes = []
    for device, where in DEVICES.items():
        found = {row["representation"]: row for row in read(experiments / "preprocessing" / f"results-{device}.csv")}
        hours = {
            row["representation"]: row["hours_of_musicnet"]
            for row in read(experiments / "preprocessing" / f"extraction-{device}.csv")
            if row["library"] == "ours"
        }
        if not found:
            notes.append(f"- {where}: not measured yet (experiments/preprocessing, `results-{device}.csv`).")
            continue
        for name, nearest in SECTION_V_A.items():
            row = found.get(nearest, {})
            stored, fly = (row.get(f"crnn_{way}_epoch_s") for way in ("stored", "fly"))
            stored, fly = (EPOCHS * float(seconds) if seconds else None for seconds in (stored, fly))
            first = stored + 3600 * float(hours[nearest]) if stored and hours.get(nearest) else None
            cells = ["not measured" if seconds is None else f"{seconds:,.0f}" for seconds in (first, stored, fly)]
            rows.append([f"{name}, ours ({nearest}), {where}", *cells, "not measured"])
        machine = next(iter(found.values()))["machine"]
        scaled = "; a smaller batch of shorter segments, scaled" if device == "cpu" else ""
        notes.append(f"- {where}: {machine}; November 2026{scaled}.")
    lines += table(["", *ways], rows)
    return [
        *lines,
        *notes,
        "- First-time storing: with the time to compute and write the spectrograms.",
        "- Theirs: segments of 327,680 samples, 16 a batch. P1 does not say the sizes of its model; ours are those of "
        "*Onsets and Frames*. So compare ways, not papers.",
        f"- Published: {published.sources('section V-A')}.",
    ]

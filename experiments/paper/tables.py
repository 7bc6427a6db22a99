"""Prints the paper's tables in its order, published values beside ours, from what has been measured so far."""

import argparse
from pathlib import Path

from experiments.paper import accuracy, performance
from experiments.paper.published import EXPERIMENTS, Published
from sweep.files import write_whole


def report(runs: Path | None, experiments: Path = EXPERIMENTS) -> str:
    """All tables, in Markdown.

    Args:
        runs: root folder of finished sweeps; None leaves them out.
        experiments: folder of the experiments and their results.
    """
    published = Published()
    parts = [
        performance.figure_11(published, experiments),
        performance.extraction(published, experiments),
        accuracy.figures_12_14(published, experiments),
        performance.section_v_a(published, experiments),
        accuracy.section_v_b(published, experiments),
        accuracy.transcription(published, experiments),
        *([accuracy.sweeps(runs)] if runs else []),
    ]
    head = [
        "P1 is *nnAudio* (IEEE Access 2020), P2 *The impact of audio input representations on neural network based "
        "music transcription* (IJCNN 2020). *Unknown*: no source at hand says it. Each table says where and when "
        "ours was measured.",
    ]
    return "\n".join("\n".join(part).strip() + "\n" for part in [head, *parts])


def main() -> None:
    """Print the tables, or write them."""
    parser = argparse.ArgumentParser(prog="python -m experiments.paper.tables", description=__doc__)
    parser.add_argument("runs", type=Path, nargs="?", default=Path("runs"), help="root folder of finished sweeps")
    parser.add_argument("--out", type=Path, help="file to write instead")
    options = parser.parse_args()
    text = report(options.runs)
    if options.out:
        write_whole(options.out, text)
    else:
        print(text)


if __name__ == "__main__":
    main()

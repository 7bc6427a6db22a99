"""`sweep plan KEY=VALUE ...`: prints the runs of a sweep with expected time, disk and GPU memory; starts nothing."""

import argparse

from rich import box
from rich.console import Console
from rich.table import Table

from sweep.names import plain, say
from sweep.results.result import Result
from sweep.results.table import read_runs
from sweep.scheduling.jobs import Run
from sweep.scheduling.pace import clock, fit

_STATES = {"missing": "to do", "unfinished": "half done"}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the description and the arguments of the command."""
    parser.description = (
        "Print the runs of a sweep: their state, the time they take by what is measured below the folder of results,\n"
        "disk and GPU memory. It starts nothing and writes nothing."
    )
    parser.add_argument("words", metavar="KEY=VALUE", nargs=argparse.REMAINDER, help="as for a sweep: +grid=all ...")


def run(arguments: argparse.Namespace) -> int:
    """Print the plan.

    Raises:
        ValueError: a word of the command line is wrong.
    """
    from sweep.commands.train import ask
    from sweep.scheduling.plan import compose_runs, tables

    asked = ask(arguments.words)
    if asked is None:
        return 0
    console = Console(highlight=False, soft_wrap=True, markup=False, emoji=False)
    for folder in tables(runs := compose_runs(asked)):
        of_it = [run for run in runs if run.config.table == folder]
        _print(console, of_it, read_runs(folder).results)
    return 0


def _print(console: Console, runs: list[Run], measured: dict[str, Result]) -> None:
    """Print the plan of one table."""
    from sweep.training.building import count_weights

    costs = {run.name: run.config.cost for run in runs}
    known = {name: result for name, result in measured.items() if name in costs and not result.resumed_from}
    seconds = [result.seconds["training"] + result.seconds["scoring"] for result in known.values()]
    expected = fit([costs[name] for name in known], seconds)
    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for heading in ("run", "state", "time", "weights", "disk", "GPU memory"):
        grid.add_column(heading, justify="left" if heading in ("run", "state") else "right")
    left, disk = [], 0.0
    for run in runs:
        state, weights = run.state(), count_weights(run.config)
        took = 0.0 if state.status == "done" else expected(run.config.cost)
        left.append(took)
        disk += 4 * weights
        grid.add_row(
            plain(run.title.partition("] ")[2]),
            _STATES.get(state.status, state.status),
            "" if state.status == "done" else "not measured" if took is None else clock(took),
            f"{weights:,}",
            _size(4 * weights),
            _size(_gpu_memory(run, weights)),
        )
    say(console, f"{runs[0].config.table}: {len(runs)} runs", "bold")
    console.print(grid)
    total = None if None in left else sum(filter(None, left))
    console.print(f"time for one process: {clock(total) if total is not None else 'not measured yet'}")
    console.print(f"disk: {_size(disk)} of trained weights, and three times a run's weights while it trains")
    console.print(
        "GPU memory: weights, gradients, Adam's moments and features of a step; the audio and what the model computes "
        "from the features come on top of it"
    )


def _gpu_memory(run: Run, weights: int) -> float:
    """Estimate the bytes of weights, gradients, Adam's two moments, and twice the features computed in one batch."""
    config = run.config
    row, protocol = config.representation, config.protocol
    features = 4 * protocol.batch_size * row.n_channels * row.bins * row.n_frames(row.samples(protocol.window))
    return 16.0 * weights + 2 * min(10 * features, max(features, 256 << 20))


def _size(n_bytes: float) -> str:
    return f"{n_bytes / 1e9:,.1f} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:,.1f} MB"

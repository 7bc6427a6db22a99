"""`sweep.compare`: the command line's runs from Python, its errors, and a process that is left as it was."""

import io
import logging
import os
import shutil
import signal
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobRuntime
from hydra.version import VersionBase
from rich.console import Console

import sweep
from sweep.__main__ import main
from sweep.commands import train
from sweep.commands.compare import _name
from sweep.data.sources.musicnet import MusicNet
from sweep.registry import models, sources
from sweep.training.checkpoints import Checkpoint
from sweep.training.models.linear import Linear

SHORT = {"protocol__steps": 10, "protocol__checkpoint_every": 5, "protocol__scored_windows": 30, "device": "cpu"}
ROWS = ["linear-256", "mel-512-128"]


@pytest.fixture
def tiny(small_set, tmp_path, monkeypatch):
    """The keys of a short call, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return {"data": "musicnet", "data__root": small_set, **SHORT}


def called(rows, **keys) -> tuple["sweep.report.Report", list[str]]:
    """The report of a call, and the lines that it printed."""
    console = Console(file=io.StringIO(), width=400, highlight=False)
    report = sweep.compare(rows, console=console, **keys)
    return report, console.file.getvalue().splitlines()


def error_of(rows, **keys) -> str:
    with pytest.raises(ValueError) as caught:
        sweep.compare(rows, console=Console(quiet=True), **keys)
    message = str(caught.value)
    assert message.isprintable()  # hence on one line
    return message


def contents(folder: Path) -> dict[str, tuple[int, bytes]]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes()) for path in found}


def test_it_does_what_the_command_does(tiny, tmp_path, monkeypatch, capsys):
    """The command finds the runs done, and writes the same files; a second call too."""
    report, lines = called(ROWS, seeds=2, **tiny)
    assert capsys.readouterr() == ("", "")  # the table is the report's
    assert [line.partition("  accuracy 0.")[0] for line in lines] == [
        f"[{n}/4] {row} seed-{seed}" for n, (row, seed) in enumerate([(r, s) for r in ROWS for s in (0, 1)], 1)
    ]
    assert report.folder == tmp_path / "runs/tiny/quick"
    assert list(report.table.representation) == ["linear-256"] * 2 + ["mel-512-128"] * 2
    assert list(report.table.seed) == [0, 1, 0, 1] and set(report.table.status) == {"done"}
    assert list(report.summary.representation) == ROWS and report.verdict.startswith("Highest: ")
    before = contents(tmp_path)
    words = [f"{key.replace('__', '.')}={value}" for key, value in tiny.items()]
    monkeypatch.setattr("sys.argv", ["sweep"])
    train.main([f"representation={','.join(ROWS)}", "seed=0,1", *words])
    printed = capsys.readouterr().out
    assert printed.count("(done before)") == 4 and report.title in printed
    again, lines = called(report.summary.representation, seeds=np.arange(2), **tiny)
    assert [line.endswith("(done before)") for line in lines] == [True] * 4
    assert again.table.equals(report.table) and contents(tmp_path) == before


def test_a_folder_of_recordings_that_has_changed_is_noticed(tiny, small_set, tmp_path):
    """Also within one process, which knows what it was."""
    root = shutil.copytree(small_set, tmp_path / "mine")
    keys = {**tiny, "data__root": root}
    called("linear-256", **keys)
    for kind in ("data", "labels"):
        file = min((root / f"train_{kind}").iterdir())
        shutil.copy(file, file.with_stem("another"))
    assert "another configuration, data.fingerprint: " in error_of("linear-256", **keys)


def test_a_class_stands_for_its_name(tiny):
    report, _ = called("mel-512-128", model=[Linear, "cnn"], **tiny)
    assert list(report.table.model) == ["cnn", "linear"]


def test_a_class_that_has_a_name_keeps_it(monkeypatch):
    cls = type("Mine", (Linear,), {})
    monkeypatch.setattr(models, "_classes", {**dict(models), "other": cls})
    assert _name(cls) == "other"
    models.register("straight")(type("MLPOfMine", (Linear,), {}))
    assert _name(models["straight"]) == "straight" and _name(type("LSTMModel", (Linear,), {})) == "lstm_model"


def test_a_step_of_a_row_and_its_numbers_are_keys(tiny):
    report, _ = called("mel-512-128", representation__compression__name="log", representation__f_min=[60, 70], **tiny)
    assert list(report.table.variant) == [f"compression.name=log+f_min={f_min}" for f_min in (60, 70)]


def test_a_run_that_failed_is_in_the_report_and_without_any_other_in_the_error(tiny):
    called("linear-256", **tiny)
    longer = {**tiny, "protocol__steps": 11}
    why = "was made with another configuration, protocol.steps: 10 -> 11: choose another folder with runs=DIR"
    assert error_of("linear-256", **longer).startswith(f"no run is done; [1/1] linear-256  failed: {Path('runs')}")
    assert why in error_of("linear-256", **longer)
    report, lines = called(ROWS, **longer)
    assert lines[0].startswith("[1/2] linear-256  failed: ") and why in lines[0]
    assert dict(zip(report.table.representation, report.table.status, strict=True)) == {
        "linear-256": "changed",
        "mel-512-128": "done",
    }


def test_an_interrupted_call_resumes(tiny, monkeypatch):
    """Ctrl-C in the third step, after which Lightning would ignore the next."""

    def signalled(self, trainer, module, outputs, batch, batch_idx):
        if module.step == 3:
            os.kill(os.getpid(), signal.SIGINT)
        kept(self, trainer, module, outputs, batch, batch_idx)

    kept = Checkpoint.on_train_batch_end
    handlers = {number: signal.getsignal(number) for number in signal.valid_signals()}
    console = Console(file=io.StringIO(), width=400)
    with monkeypatch.context() as patch:
        patch.setattr(Checkpoint, "on_train_batch_end", signalled)
        with pytest.raises(KeyboardInterrupt):
            sweep.compare(ROWS, console=console, **tiny)
    assert console.file.getvalue() == "stopped; the same call resumes\n"
    assert handlers == {number: signal.getsignal(number) for number in signal.valid_signals()}
    report, _ = called(ROWS, **tiny)
    assert list(report.table.resumed_from) == [3, 0]


@pytest.mark.long
def test_the_process_is_left_as_it_was(tiny, tmp_path, monkeypatch):
    """Also where somebody else has Hydra running, twice, and after an error; with processes of its own."""
    conf = tmp_path / "conf"
    conf.mkdir()
    (conf / "other.yaml").write_text("a: 1\n")
    argv = ["notebook", "-f", "kernel.json"]
    monkeypatch.setattr("sys.argv", argv)
    handler = logging.StreamHandler(io.StringIO())
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [handler])
    monkeypatch.setattr(root, "level", logging.INFO)
    with initialize_config_dir(str(conf), job_name="theirs", version_base="1.2"):
        HydraConfig.instance().set_config(compose("other", return_hydra_config=True))

        def seen():
            states = (GlobalHydra, HydraConfig, JobRuntime, VersionBase)
            return [
                *(cls.instance() for cls in states),
                *(GlobalHydra.instance().hydra, VersionBase.instance().getbase(), JobRuntime.instance().get("name")),
                *(list(sys.argv), Path.cwd(), list(root.handlers), root.level, dict(os.environ)),
                {number: signal.getsignal(number) for number in signal.valid_signals()},
            ]

        before = seen()
        called("linear-256", **tiny)
        error_of("cqt-4", **tiny)
        called("linear-256", cluster="cpus", cluster__processes=1, **tiny)
        assert seen() == before and sys.argv is argv
        assert compose("other").a == 1


def test_a_class_of_a_notebook_stays_in_its_process(tiny, monkeypatch, forgotten):
    monkeypatch.setitem(sys.modules, "__main__", types.ModuleType("__main__"))
    sources.register("mine")(type("Mine", (MusicNet,), {"__module__": "__main__"}))
    assert error_of("cqt-12", cluster="cpus", cluster__processes=1, data__source="mine", **tiny) == (
        "Mine: defined in a notebook or at a prompt, which the processes of cluster=cpus do not see; put it into a "
        "file and import it, or choose cluster=none"
    )


SCRIPT = """
import multiprocessing
import sweep

if __name__ == "__main__":
    process = multiprocessing.get_context("spawn").Process(target=int)
    process.start()
    process.join()
else:
    sweep.compare("cqt-12")
"""


def test_a_script_that_is_run_again_by_its_processes_is_told(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    ended = subprocess.run([sys.executable, script], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert ended.stderr.splitlines()[-1] == (
        "ValueError: compare: the script is run again by its processes; call it below if __name__ == '__main__':"
    )
    assert list(tmp_path.iterdir()) == [script]


def test_it_is_a_function_and_no_command(monkeypatch):
    import sweep.commands.compare

    assert callable(sweep.compare)
    monkeypatch.setattr("sys.argv", ["sweep", "compare"])
    with pytest.raises(SystemExit, match="^sweep: compare: no such command"):
        main()

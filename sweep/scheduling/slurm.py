"""Run a sweep as an array of SLURM jobs, one for each run: cluster=slurm. submitit submits and requeues the jobs."""

import contextlib
import io
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from sweep import locks, terminal
from sweep.config import SlurmCluster
from sweep.names import say
from sweep.results.result import RESULT
from sweep.results.state import TRACEBACK
from sweep.scheduling import queue_reasons
from sweep.scheduling.jobs import Run, Walk, line_of, printer
from sweep.scheduling.workers import bar

_POLL = 2.0  # seconds between two queries of the queue
_UNSEEN = 10.0  # seconds after which a job that is not in the queue counts as ended, its files visible on this host


class Job:
    """Callable that one SLURM job executes."""

    def __call__(self, run: Run) -> None:
        """Train and score one run; exit with 128 + the signal's number if a signal stops it."""
        terminal.replace_unencodable()
        os.environ.setdefault("OMP_NUM_THREADS", os.environ.get("SLURM_CPUS_PER_TASK", "1"))
        if int(os.environ.get("SLURM_RESTART_COUNT", 0)):  # do not overwrite what it began before
            run = _resuming(run)
        console = Console(highlight=False, width=200)
        try:
            Walk([run], printer(console), console, [0], [0], patience=2 * locks.STALE).go()
        except KeyboardInterrupt as stop:  # a checkpoint is written
            number = stop.args[0] if stop.args and stop.args[0] else signal.SIGINT
            if number == signal.SIGUSR2:
                signal.raise_signal(number)  # submitit now asks SLURM to queue the job again
            sys.exit(128 + number)  # SLURM itself does, or the job was cancelled

    def checkpoint(self, run: Run):
        """Return what submitit starts after a requeue: the same call, because the run's folder holds its state."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self, run)


def launch(runs: list[Run], cluster: SlurmCluster, console: Console) -> bool:
    """Submit a sweep; unless detached, wait for it and print a line for each run.

    Jobs that end without a result or a traceback (cancelled, or their node failed) are submitted again up to `retry`
    times.

    Args:
        runs: runs of the sweep.
        cluster: settings of the SLURM jobs.
        console: console to print on.

    Returns:
        Whether all runs are done; if detached, whether all could be submitted.

    Raises:
        ValueError: there is no SLURM, or it refuses the jobs.
    """
    states = ["missing" if run.config.overwrite else run.state().status for run in runs]
    if "done" in states:
        console.print(f"{states.count('done')} of {len(runs)} runs done before")
    for run in (run for run, state in zip(runs, states, strict=True) if state == "changed"):
        say(console, f"{run.title}  failed: {run.state().note}", "red")
    open_runs = [run for run, state in zip(runs, states, strict=True) if state not in ("done", "changed")]
    for attempt in range(1 + runs[0].config.retry):
        if not open_runs:
            break
        if attempt:
            open_runs = [_resuming(run) for run in open_runs]
        began = time.time()
        jobs = submit(open_runs, cluster)
        array = jobs[0].partition("_")[0]
        console.print(f"{len(jobs)} jobs submitted: {array}; scancel {array} ends them", soft_wrap=True)
        if cluster.detach:
            say(console, f"sweep status {runs[0].config.runs} shows the state")
            return "changed" not in states
        try:
            open_runs = follow(dict(zip(jobs, open_runs, strict=True)), began, cluster, console)
        except KeyboardInterrupt:
            status = f"sweep status {runs[0].config.runs}"
            say(console, f"the jobs run on; {status} shows their state; scancel {array} ends them")
            raise
    return all(run.state().status == "done" for run in runs)


def _resuming(run: Run) -> Run:
    """Return the run with overwrite=false, so that it resumes what an earlier job began."""
    return replace(run, config=replace(run.config, overwrite=False))


def submit(runs: list[Run], cluster: SlurmCluster) -> list[str]:
    """Submit one job for each run.

    Args:
        runs: runs to submit.
        cluster: settings of the SLURM jobs.

    Returns:
        Ids of the jobs: <array>_<number>, or a plain number for a single job.

    Raises:
        ValueError: submitit or sbatch is missing, or sbatch refuses the jobs.
    """
    try:
        import submitit
    except ImportError:
        raise ValueError("cluster slurm: needs submitit; pip install 'spectrogram-sweep[slurm]'") from None
    if not shutil.which("sbatch"):
        raise ValueError("cluster slurm: there is no sbatch here; run this on a login node, or choose another cluster")
    folder = Path(runs[0].config.runs).resolve() / "slurm"
    python = shlex.join([sys.executable, str(terminal.script)]) if terminal.script else None
    executor = submitit.SlurmExecutor(folder=folder / "%A", max_num_timeout=cluster.requeues, python=python)
    options: dict = {key: getattr(cluster, key) for key in ("partition", "account", "qos") if getattr(cluster, key)}
    options |= {"gpus_per_node": cluster.gpus} if cluster.gpus else {}
    options |= {"mem": f"{cluster.memory}GB"} if cluster.memory else {}
    executor.update_parameters(
        job_name="sweep",
        time=cluster.timeout,
        cpus_per_task=cluster.cpus,
        array_parallelism=cluster.parallel,
        signal_delay_s=cluster.grace,
        setup=list(cluster.setup or []),
        stderr_to_stdout=True,
        additional_parameters={"requeue": True, **(cluster.extra or {})},
        **options,
    )
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            return [job.job_id for job in executor.map_array(Job(), runs)]
    except submitit.core.utils.FailedJobError as error:
        reason = "; ".join(line for line in f"{said.getvalue()}\n{error}".splitlines() if "sbatch: error" in line)
        raise ValueError(f"cluster slurm: sbatch refused the jobs: {reason}; see conf/cluster/slurm.yaml") from None


def follow(jobs: dict[str, Run], began: float, cluster: SlurmCluster, console: Console) -> list[Run]:
    """Wait until all jobs have ended; print a line for each run that ends, and why jobs are pending.

    Args:
        jobs: runs by the ids of their jobs.
        began: time of the submission, in seconds since 1970.
        cluster: settings that the jobs were submitted with.
        console: console to print on.

    Returns:
        Runs whose jobs ended without a result or a traceback.
    """
    left, lost = dict(jobs), []
    array, pending = next(iter(jobs)).partition("_")[0], queue_reasons.Pending()
    seen = {job: time.monotonic() for job in jobs}
    with bar(console, len(jobs)) as advance:
        while left:
            states = queue(array)
            for job, run in list(left.items()):
                if job in states or states is None:
                    seen[job] = time.monotonic()
                if _is_new(run.folder / RESULT, began) and (result := run.state().result):
                    line, style = line_of(run, result, f"job {job}, {sum(result.seconds.values()):.1f} s"), ""
                elif time.monotonic() - seen[job] < _UNSEEN:
                    continue
                elif _is_new(run.folder / TRACEBACK, began):
                    path = run.folder / TRACEBACK
                    error = path.read_text(errors="replace").strip().rpartition("\n")[2]
                    line, style = f"{run.title}  failed: {error} (traceback in {path}, job {job})", "red"
                else:
                    line, style = f"{run.title}  job {job} ended early: cancelled, or its node failed", "red"
                    lost.append(run)
                say(console, line, style)
                del left[job]
            if states is not None:
                reasons = [reason for state, reason in states.values() if state == "PENDING"]
                for name, count in pending.news(reasons, time.monotonic()).items():
                    line = queue_reasons.explain_pending(name, count, len(jobs), array, cluster)
                    style = "" if queue_reasons.look_up(name).passes else "yellow"
                    say(console, line, style)
            running = sum(state == "RUNNING" for state, _ in (states or {}).values())
            advance(len(jobs) - len(left), f"{running} running, {len(states or {}) - running} waiting")
            time.sleep(_POLL)
    return lost


def queue(array: str) -> dict[str, tuple[str, str]] | None:
    """Query squeue for the state of each job of an array and the reason for it.

    Args:
        array: id of the array.

    Returns:
        (state, reason) by job id, for the jobs that SLURM still lists; None if it does not answer.
    """
    command = ["squeue", "--noheader", "--array", "--format=%i|%T|%r", f"--jobs={array}"]
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    except subprocess.TimeoutExpired:
        return None
    if ended.returncode:  # SLURM forgets a job some minutes after its end
        return {} if "Invalid job id" in ended.stderr else None
    lines = (line.split("|", 2) for line in ended.stdout.splitlines() if line.count("|") >= 2)
    return {job: (state, reason.strip()) for job, state, reason in lines}


def _is_new(path: Path, began: float) -> bool:
    try:
        return path.stat().st_mtime > began - 1
    except FileNotFoundError:
        return False

"""Choose the device of a run and its arithmetic, and record versions, revision, GPU load and peak memory."""

import contextlib
import ctypes
import functools
import importlib.metadata
import platform
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
_PACKAGES = ("torch", "lightning", "hydra-core", "mir_eval", "numpy", "soundfile")


def choose_device(name: str) -> torch.device:
    """Return the device for the configuration's `device`: "auto" is CUDA if there is a GPU.

    Raises:
        ValueError: torch finds no such device on this machine.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise ValueError("device cuda: torch sees no CUDA device here; choose device=auto or device=cpu")
    if name == "cpu" or not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", torch.cuda.current_device())


def wake(name: str) -> None:
    """Begin to set up the GPU, which takes a second or more, while this process imports what a run needs.

    Args:
        name: the configuration's `device`. What is wrong with it is said later, by `choose_device`.
    """

    def touch() -> None:
        with contextlib.suppress(ValueError, RuntimeError):
            torch.zeros(1, device=choose_device(name))

    if name != "cpu" and not torch.cuda.is_initialized():
        threading.Thread(target=touch, daemon=True).start()


def describe(device: torch.device) -> dict:
    """Return the device's name, library versions, and the git revision of the code (None outside a checkout)."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"cpu, {torch.get_num_threads()} threads"
    return {"device": name, **_code()}


@functools.cache  # of what this process has imported, whatever becomes of the files
def _code() -> dict:
    versions = {"python": platform.python_version()}
    versions |= {name: importlib.metadata.version(name) for name in _PACKAGES}
    return {"versions": versions, "git_revision": _revision()}


def _revision() -> str | None:
    here = Path(__file__).resolve().parents[1]
    if not (here.parent / ".git").exists():
        return None
    try:
        command = ["git", "-C", str(here), "describe", "--always", "--dirty", "--abbrev=12"]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None


@contextlib.contextmanager
def watch_gpu(device: torch.device) -> Iterator[list[int]]:
    """Measure by NVML how busy a GPU is during the block, in percent, twice a second and at its end.

    The list stays empty on a CPU, and without NVML, the driver's own library, or where it does not know the device.
    """
    samples: list[int] = []
    over = threading.Event()

    def watch() -> None:
        busy, ends = _reader(str(torch.cuda.get_device_properties(device).uuid)), False
        while busy and not ends:
            ends = over.wait(0.5)
            if (percent := busy()) is not None:
                samples.append(percent)

    watching = threading.Thread(target=watch, daemon=True) if device.type == "cuda" else None
    if watching:
        watching.start()
    try:
        yield samples
    finally:
        over.set()
        if watching:
            watching.join()


@functools.cache
def _reader(uuid: str) -> Callable[[], int | None] | None:
    """Return a function that reads how busy a GPU was in about the last half second, in percent; None without NVML."""
    try:
        nvml = ctypes.CDLL("nvml.dll" if platform.system() == "Windows" else "libnvidia-ml.so.1")
    except OSError:
        return None
    handle, rates = ctypes.c_void_p(), (ctypes.c_uint * 2)()  # of the multiprocessors and of the memory
    found = nvml.nvmlInit_v2() == 0
    if not (found and nvml.nvmlDeviceGetHandleByUUID(f"GPU-{uuid}".encode(), ctypes.byref(handle)) == 0):
        return None
    return lambda: rates[0] if nvml.nvmlDeviceGetUtilizationRates(handle, rates) == 0 else None


def keep_memory(device: torch.device) -> None:
    """Make glibc keep the memory of tensors up to 64 MiB for the next ones, if a run is on the CPU.

    By default it maps tensors over 32 MiB anew each time, such as the gradient of a wide row's weights, and the kernel
    fills their pages with zeros first: a fifth of a training step of linear-4096.
    """
    if device.type == "cpu":
        with contextlib.suppress(OSError, AttributeError):  # C libraries other than glibc lack mallopt
            libc = ctypes.CDLL(None)
            libc.mallopt(_M_MMAP_THRESHOLD, 64 << 20)
            libc.mallopt(_M_TRIM_THRESHOLD, 512 << 20)


def give_back_memory() -> None:
    """Make glibc return free memory to the system."""
    with contextlib.suppress(OSError, AttributeError):  # C libraries other than glibc lack malloc_trim
        ctypes.CDLL(None).malloc_trim(0)


def reset_peak_memory(device: torch.device) -> None:
    """Restart the measurement of peak memory."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    else:
        give_back_memory()  # what the run before has left
        try:
            Path("/proc/self/clear_refs").write_text("5")
        except OSError:
            pass  # not Linux: peak_memory returns None


def peak_memory(device: torch.device) -> int | None:
    """Return the peak since the last reset in bytes: allocated on CUDA, or resident in the process on a CPU (Linux)."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM")), None)


@contextlib.contextmanager
def arithmetic(precision: str) -> Iterator[None]:
    """Let CUDA's products and convolutions within a block use TF32 unless the precision is float32.

    Convolutions are deterministic within it, so that a run can be repeated.

    Args:
        precision: the run's, `RunConfig.precision`.
    """
    rounded = precision != "float32"
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high" if rounded else "highest")
    try:
        with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=rounded):
            yield
    finally:
        torch.set_float32_matmul_precision(before)

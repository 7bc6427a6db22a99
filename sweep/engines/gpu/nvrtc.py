"""Compile GPU kernels in CUDA C by NVRTC, which torch includes, once for a user, and launch them on torch's stream."""

import contextlib
import ctypes
import functools
import hashlib
import os
import sys
import threading
from pathlib import Path

import torch

_SHARED_BYTES = 8  # CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
_LOCK = threading.Lock()


def available() -> bool:
    """Return whether GPU kernels can be compiled: an NVIDIA GPU and the libraries are there."""
    return torch.version.cuda is not None and _compiler() is not None


@functools.cache
def _compiler() -> ctypes.CDLL | None:
    major = torch.version.cuda.split(".")[0]
    name = f"nvrtc64_{major}0_0.dll" if sys.platform == "win32" else f"libnvrtc.so.{major}"
    packages = Path(torch.__file__).parents[1]
    for path in (name, *map(str, packages.glob(f"nvidia/*/lib/{name}"))):
        try:
            return ctypes.CDLL(path)
        except OSError:
            continue
    return None


@functools.cache
def _driver() -> ctypes.CDLL:
    return ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")


class Kernel:
    """One GPU kernel of a source file, compiled for a device at its first call there.

    Args:
        path: source file in CUDA C++ without includes.
        name: name of the function, declared extern "C".
        constants: integer macros that the preprocessor defines.
    """

    def __init__(self, path: Path, name: str, **constants: int):
        self.path, self.name, self.constants = path, name, constants
        self._functions: dict[int, ctypes.c_void_p] = {}
        self._shared: dict[int, int] = {}  # the largest shared memory set for a function so far, in bytes

    def __call__(self, blocks: int, threads: int, shared_bytes: int, *arguments) -> None:
        """Launch the GPU kernel on the current stream of the current device.

        Args:
            blocks, threads: number of blocks, and of threads per block, in one dimension.
            shared_bytes: size of a block's dynamic shared memory in bytes.
            arguments: tensors, all on the current device, and ctypes values.
        """
        device = torch.cuda.current_device()
        if self._shared.get(device, -1) < shared_bytes:
            self._prepare(device, shared_bytes)
        values = [ctypes.c_void_p(a.data_ptr()) if isinstance(a, torch.Tensor) else a for a in arguments]
        pointers = (ctypes.c_void_p * len(values))(*map(ctypes.addressof, values))
        stream = ctypes.c_void_p(torch._C._cuda_getCurrentRawStream(device))
        grid = (blocks, 1, 1, threads, 1, 1)
        status = _driver().cuLaunchKernel(self._functions[device], *grid, shared_bytes, stream, pointers, None)
        if status:
            _check(status)

    def _prepare(self, device: int, shared_bytes: int) -> None:
        """Load the GPU kernel on a device, and allow it so much shared memory."""
        with _LOCK:
            if device not in self._functions:
                self._functions[device] = self._load(device)
            if self._shared.get(device, -1) < shared_bytes:
                _check(_driver().cuFuncSetAttribute(self._functions[device], _SHARED_BYTES, shared_bytes))
                self._shared[device] = shared_bytes

    def _load(self, device: int) -> ctypes.c_void_p:
        major, minor = torch.cuda.get_device_capability(device)
        binary = _binary(self.path.read_text(), self.path.name, f"sm_{major}{minor}", self.constants)
        module, function = ctypes.c_void_p(), ctypes.c_void_p()
        _check(_driver().cuModuleLoadData(ctypes.byref(module), binary))
        _check(_driver().cuModuleGetFunction(ctypes.byref(function), module, self.name.encode()))
        return function


def _binary(source: str, name: str, architecture: str, constants: dict[str, int]) -> bytes:
    """Return a source's binary for an architecture: from the user's cache, or compiled and kept there if possible."""
    made_of = repr((source, _options(architecture, constants), _version()))
    path = _cache() / f"{name}-{hashlib.sha256(made_of.encode()).hexdigest()[:32]}"
    with contextlib.suppress(OSError):
        digest, binary = (kept := path.read_bytes())[:32], kept[32:]
        if hashlib.sha256(binary).digest() == digest:
            return binary
    binary = _compile(source, name, architecture, constants)
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.{os.getpid()}")
        partial.write_bytes(hashlib.sha256(binary).digest() + binary)
        partial.replace(path)  # other processes see all of it or nothing
    return binary


def _cache() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(cache if os.path.isabs(cache) else os.devnull, "spectrogram-sweep")  # without a home there is none


def _version() -> tuple[int, int]:
    major, minor = ctypes.c_int(), ctypes.c_int()
    _compiler().nvrtcVersion(ctypes.byref(major), ctypes.byref(minor))
    return major.value, minor.value


def _options(architecture: str, constants: dict[str, int]) -> list[str]:
    return [f"--gpu-architecture={architecture}", "--std=c++17", *(f"-D{k}={v}" for k, v in constants.items())]


def _compile(source: str, name: str, architecture: str, constants: dict[str, int]) -> bytes:
    """Compile a source to a binary for an architecture."""
    compiler, program, size = _compiler(), ctypes.c_void_p(), ctypes.c_size_t()
    options = _options(architecture, constants)
    options = (ctypes.c_char_p * len(options))(*(option.encode() for option in options))
    compiler.nvrtcCreateProgram(ctypes.byref(program), source.encode(), name.encode(), 0, None, None)
    if compiler.nvrtcCompileProgram(program, len(options), options):
        compiler.nvrtcGetProgramLogSize(program, ctypes.byref(size))
        log = ctypes.create_string_buffer(size.value)
        compiler.nvrtcGetProgramLog(program, log)
        raise RuntimeError(f"{name} does not compile for {architecture}: {log.value.decode()}")
    compiler.nvrtcGetCUBINSize(program, ctypes.byref(size))
    binary = ctypes.create_string_buffer(size.value)
    compiler.nvrtcGetCUBIN(program, binary)
    compiler.nvrtcDestroyProgram(ctypes.byref(program))
    return binary.raw


def _check(status: int) -> None:
    if status:
        text = ctypes.c_char_p()
        _driver().cuGetErrorString(status, ctypes.byref(text))
        raise RuntimeError(f"CUDA error {status}: {(text.value or b'unknown').decode()}")

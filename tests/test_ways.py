"""Ways to use a front-end, by property over every family, and the tables of docs/library.md that say which work."""

import copy
import gc
import pickle
import re
from collections.abc import Callable

import pytest
import torch
from conftest import DEVICES, ROOT, ROWS
from spawned import Features
from test_all_transforms import FAMILIES
from torch._dynamo.testing import CompileCounterWithBackend
from torch.autograd import forward_ad
from torch.utils.data import DataLoader

from sweep.config.rows import row as row_of
from sweep.transforms import CQT, MFCC, STFT, MelSpectrogram, operators
from sweep.transforms.transform import Transform

TRAINED = "any with `trainable=True`"
FEW = ("STFT()",)  # of the trained; test_library.py has more
NAMES = [*(f"`{name}`" for name in FAMILIES), TRAINED]  # of the rows in the page's tables


def noise(*shape: int, device: str = "cpu") -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0)).to(device)


def same(actual: torch.Tensor, expected: torch.Tensor) -> None:
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-5 * float(expected.detach().abs().max()))


# Each way: it raises an exception where it does not work.


def compiled(transform: Transform, device: str) -> None:
    """In one graph, forward and backward, for numbers of clips and samples that were not known."""
    torch._dynamo.reset()
    counter = CompileCounterWithBackend("aot_eager")
    front_end = torch.compile(transform, backend=counter, fullgraph=True, dynamic=True)
    for shape in ((2, 3000), (3, 2500), (4, 3777)):
        x = noise(*shape, device=device).requires_grad_()
        gradients = []
        for call in (front_end, transform):
            y = call(x)
            gradients.append(torch.autograd.grad(y.square().sum(), [x, *transform.parameters()]))
        same(front_end(x.detach()), transform(x.detach()))
        for actual, expected in zip(*gradients, strict=True):
            same(actual, expected)
    assert counter.frame_count <= 2 or list(transform.parameters())  # one with a gradient, one without


def compiled_logarithm(transform: Transform, device: str) -> None:
    if isinstance(transform, MFCC):
        return
    torch._dynamo.reset()
    call = torch.compile(transform.log, backend="aot_eager", fullgraph=True, dynamic=True)
    for offset in (1e-3, 1.0):
        same(call(noise(2, 2000, device=device), offset), transform.log(noise(2, 2000, device=device), offset))


def exported(transform: Transform, device: str, lengths: tuple[int, ...] = (3000,)) -> None:
    """For any number of clips; where several lengths are given, also for them."""
    dims = dict.fromkeys(range(2 if len(lengths) > 1 else 1), torch.export.Dim.DYNAMIC)
    program = torch.export.export(transform, (noise(2, lengths[0], device=device),), dynamic_shapes=(dims,))
    module = program.module()
    for clips in (2, 1, 5):
        for length in lengths:
            x = noise(clips, length, device=device)
            same(module(x), transform(x))


def exported_for_any_length(transform: Transform, device: str) -> None:
    exported(transform, device, (3000, 2500, 4100))


def functional(transform: Transform, device: str) -> None:
    x = noise(2, 1500, device=device).double()
    direction, y = x.flip(1), transform(x)
    same(torch.func.vmap(transform)(x), y)
    same(torch.func.functional_call(transform, dict(transform.named_parameters()), (x,)), y)
    values, tangent = torch.func.jvp(transform, (x,), (direction,))
    same(values, y)
    gradient = torch.func.grad(lambda v: transform(v).sum())(x)
    leaf = x.clone().requires_grad_()
    same(gradient, torch.autograd.grad(transform(leaf).sum(), leaf)[0])
    torch.testing.assert_close(tangent.sum(), (gradient * direction).sum(), rtol=1e-4, atol=1e-6)
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(torch.zeros_like(x), direction)
        assert forward_ad.unpack_dual(transform(dual)).tangent.isfinite().all()


def in_half_precision(transform: Transform, device: str) -> None:
    x = noise(2, 1500, device=device).half()
    expected = transform(x.float())
    same(copy.deepcopy(transform).half()(x) if not list(transform.parameters()) else transform(x), expected)
    with torch.autocast(device, torch.bfloat16):
        same(transform(x), expected)


def pickled(transform: Transform, device: str) -> None:
    x = noise(2, 1500, device=device)
    expected = transform(x)
    for copied in (pickle.loads(pickle.dumps(transform)), copy.deepcopy(transform)):
        same(copied(x), expected)
        assert copied._name != transform._name


WAYS: dict[str, list[Callable[[Transform, str], None]]] = {
    "eager": [],  # test_all_transforms.py
    "compile, full graph, any shape": [compiled, compiled_logarithm],
    "export, any batch": [exported],
    "export, any length": [exported_for_any_length],
    "torch.func": [functional],
    "half": [in_half_precision],
    "pickle": [pickled],
}


def page(heading: str) -> tuple[list[str], dict[str, list[str]]]:
    """The head and the rows of a table of docs/library.md."""
    text = (ROOT / "docs/library.md").read_text().split(f"\n{heading}\n")[1].split("\n#")[0]
    head, _, *rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if "|" in line]
    return head, {row[0]: row[1:] for row in rows}


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", NAMES)
def test_the_page_says_which_ways_work(name, device):
    head, rows = page("### On a CPU" if device == "cpu" else "### On CUDA")
    assert list(rows) == NAMES and head[1:] == [*WAYS, "DataLoader, spawn"]
    made = [FAMILIES[few](trainable=True) for few in FEW] if name == TRAINED else [FAMILIES[name.strip("`")]()]
    for way, said in zip(WAYS, rows[name], strict=False):
        assert re.match("yes|no: .", said), (way, said)
        for transform in made:
            try:
                for call in WAYS[way]:
                    call(transform.to(device), device)
                error = None
            except Exception as caught:
                error = caught
            assert (error is None) == said.startswith("yes"), (way, said, error)


def test_workers_that_are_spawned_compute_the_same():
    transforms, clip = [family() for family in FAMILIES.values()], noise(1, 1500)
    loader = DataLoader(Features(transforms, clip), batch_size=None, num_workers=1, multiprocessing_context="spawn")
    for transform, y in zip(transforms, loader, strict=True):
        torch.testing.assert_close(y, transform(clip))
    assert all(cells[-1].startswith("yes") for cells in page("### On a CPU")[1].values())


@pytest.mark.parametrize(
    "make",
    [
        lambda: STFT(n_fft=1024, scale="log"),
        lambda: MelSpectrogram(n_fft=2048, n_mels=32, f_max=4000.0, accuracy="fast"),
        lambda: CQT(f_min=440.0, n_bins=24, algorithm="librosa"),
    ],
    ids=["banded", "a lower rate", "a cascade"],
)
def test_engines_that_export_any_length(make):
    exported(make(), "cpu", (9000, 5000, 12_345))


def test_constant_q_of_several_ffts_exports_any_batch():
    exported(CQT(f_min=110.0, n_bins=60), "cpu", (9000,))


def test_a_table_that_follows_from_the_length_is_named():
    with pytest.raises(ValueError, match="tables follow from the clip's length: export it as a number, not as a Dim"):
        exported(CQT(f_min=110.0, n_bins=60), "cpu", (9000, 8000))


# The operators


@pytest.mark.parametrize("offset", [None, 1e-3])
@pytest.mark.parametrize("name", ["STFT()", "CQT()", "CFP()", "MFCC()"])
def test_the_operators_keep_pytorchs_contract(name, offset):
    """Schema, fake tensors, memory layout and gradient, as torch.library.opcheck compares them."""
    if name == "MFCC()" and offset is not None:
        return
    transform, x = FAMILIES[name](), noise(2, 1500).requires_grad_()
    y = torch.ops.sweep.front_end(x, transform._name, offset)
    torch.library.opcheck(torch.ops.sweep.front_end.default, (x, transform._name, offset))
    arguments = (torch.ones_like(y), x.detach(), transform._name, offset)
    torch.library.opcheck(torch.ops.sweep.front_end_gradient.default, arguments)


def test_whole_frames_of_one_clip_lie_where_their_fake_says():
    """At the start of their memory: a compiler may rely on its alignment."""
    transform, x = STFT(center=False, n_fft=256, hop_length=64), noise(1, 1500)
    torch.library.opcheck(torch.ops.sweep.front_end_values.default, (x, transform._name, None))
    assert torch.ops.sweep.front_end_values(x, transform._name, None).storage_offset() == 0


def test_a_gradient_of_no_clips_is_new_memory():
    transform, x = CQT(f_min=440.0, n_bins=2), torch.zeros(0, 1500)
    by_values = transform(x)
    torch.library.opcheck(torch.ops.sweep.front_end_gradient.default, (by_values, x, transform._name, None))


def test_a_front_end_that_is_gone_is_named():
    transform = CQT(f_min=440.0, n_bins=2)
    name = transform._name
    del transform
    gc.collect()
    with pytest.raises(RuntimeError, match=f"front-end {name} of a compiled graph is gone; keep the module until"):
        torch.ops.sweep.front_end_values(noise(1, 1500), name, None)


def test_graphs_of_other_shapes_have_other_texts():
    """PyTorch's cache on disk finds a graph by its text and inputs, and takes the shapes of its values from there."""
    made = [family() for family in FAMILIES.values()]
    made += [STFT(center=False), STFT(hop_length=100), STFT(output="complex"), STFT(n_bins=9), MelSpectrogram(n_mels=9)]
    shapes = {}
    for transform in made:
        x = torch.empty(1, 12_345, device="meta")
        y = torch.ops.sweep.front_end_values(x, transform._name, None)
        text = operators.operand(transform._name).removeprefix(transform._name)
        assert shapes.setdefault(text, (y.shape, y.stride(), y.dtype)) == (y.shape, y.stride(), y.dtype)
    assert len(shapes) > 10
    few, many = (MelSpectrogram(n_mels=n, trainable="kernels") for n in (8, 9))
    assert operators.sized(few._name, "_bank_on", "cpu") != operators.sized(many._name, "_bank_on", "cpu")


def test_a_compiled_front_end_gives_the_very_numbers():
    """Those of very quiet clips too, and its first call, which PyTorch runs within a mode that ignores conjugates."""
    for name, family in FAMILIES.items():
        transform, x = family(), torch.cat([noise(1, 2000), 1e-30 * noise(1, 2000)])
        torch._dynamo.reset()
        assert torch.equal(torch.compile(transform, backend="aot_eager")(x), transform(x)), name


def test_a_tangent_passes_a_compiled_front_end():
    transform, x = STFT(n_fft=256), noise(2, 1500)
    torch._dynamo.reset()
    front_end = torch.compile(transform, backend="aot_eager")
    with forward_ad.dual_level():
        tangent = forward_ad.unpack_dual(front_end(forward_ad.make_dual(x, x))).tangent
    torch.testing.assert_close(tangent, torch.func.jvp(transform, (x,), (x,))[1])


@pytest.mark.parametrize(
    "options", [{"trainable": "bank"}, {"trainable": "kernels"}, {"trainable": "bank", "n_fft": 2048}]
)
def test_what_is_trained_in_part_compiles_in_one_graph(options):
    """Its tables come from an operator."""
    mel, x = (
        MelSpectrogram(**{"n_fft": 256, "n_mels": 20, "f_max": 4000.0, "accuracy": "fast", **options}),
        noise(2, 4000),
    )
    torch._dynamo.reset()
    same(torch.compile(mel, backend="aot_eager", fullgraph=True, dynamic=True)(x), mel(x))


@pytest.mark.parametrize("row", ["cqt-24", "kong", "omnizart"])
def test_a_row_compiles_in_one_graph(row):
    front_end = row_of(row).front_end()
    x = noise(2, 9000)
    torch._dynamo.reset()
    assert torch.equal(torch.compile(front_end, backend="aot_eager", fullgraph=True)(x), front_end(x))


@pytest.mark.long  # a C++ compiler
@pytest.mark.parametrize("device", DEVICES)
def test_compiled_indeed(device):
    for row in ("linear-512", "mel-512-128", "cqt-24"):
        transform = ROWS[row].transform()
        torch._dynamo.reset()
        front_end = torch.compile(lambda v: transform.log(v, 1e-3) * 2, fullgraph=True, dynamic=True)  # noqa: B023
        for shape in ((2, 16384), (3, 9000)):
            x = noise(*shape, device=device).requires_grad_()
            (actual,) = torch.autograd.grad(front_end(x).square().sum(), x)
            (expected,) = torch.autograd.grad((transform.log(x, 1e-3) * 2).square().sum(), x)
            same(front_end(x), transform.log(x, 1e-3) * 2)
            same(actual, expected)

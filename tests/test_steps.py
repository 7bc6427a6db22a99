"""Steps in groups, eager and as a captured graph: the same numbers; and where a store of audio may lie."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from configs import make_config
from conftest import DEVICES, ROWS, each

import sweep.training.steps
from sweep.data.recording import Recording
from sweep.data.recordings import Recordings, place
from sweep.data.windows import draw_windows
from sweep.registry import models
from sweep.training.building import features_of
from sweep.training.model import Features, Model
from sweep.training.models.cnn import CNN
from sweep.training.steps import Steps, chunk_length, group_length
from sweep.training.transcriber import Transcriber

GPU = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")]
KEYS = {"steps": 400, "batch_size": 16, "learning_rate": 1e-4, "schedule": "linear", "checkpoint_every": 100}
PROTOCOL = replace(make_config("protocol=paper").protocol, **KEYS)


def recordings(device: str, placement: str = "auto", dtype=np.int16) -> Recordings:
    """Two recordings of noise in bands that come and go with the notes."""
    rng = np.random.default_rng(0)
    parts = []
    for name in "ab":
        audio = np.zeros(300_000)
        notes = []
        for start in range(0, 290_000, 10_000):
            pitch = int(rng.integers(40, 90))
            t = np.arange(10_000) / 44_100
            audio[start : start + 10_000] = 0.3 * np.sin(2 * np.pi * 440 * 2 ** ((pitch - 69) / 12) * t)
            notes.append((start, start + 10_000, pitch))
        audio += 0.01 * rng.standard_normal(len(audio))
        stored = (audio * 32767).astype(np.int16) if dtype == np.int16 else audio.astype(np.float32)
        parts.append(Recording(name, stored, 44_100, np.array(notes), Path(f"{name}.wav")))
    return Recordings(parts, device, placement)


def steps_for(store: Recordings, name: str = "mel-512-128", capture: bool = True, model: str = "linear", **options):
    """A fresh transcriber and its steps."""
    torch.manual_seed(0)
    representation = ROWS[name]
    trainable = options.pop("trainable", False)
    features = features_of(representation, 16384)
    module = Transcriber(
        representation.front_end(accuracy="fast", trainable=trainable),
        models[model](features),
        features,
        replace(PROTOCOL, **options),
        "tf32",
    ).to(store.device)
    return module, Steps(module, module.configure_optimizers(), store, capture)


def train(store: Recordings, chunks: list[range], **options) -> tuple[torch.Tensor, dict]:
    """The losses of all steps, and the weights after them."""
    module, steps = steps_for(store, **options)
    drawn = {"batch_size": 16, "length": 16384, "seed": 0}
    losses = [steps(draw_windows(store, chunk, **drawn)).wait().clone() for chunk in chunks]
    return torch.cat(losses), {key: value.cpu() for key, value in module.state_dict().items()}


@pytest.mark.parametrize("device", DEVICES)
def test_chunks_do_not_matter(device):
    store = recordings(device)
    losses, weights = train(store, [range(40)])
    again, as_well = train(store, [range(10), range(10, 30), range(30, 40)])
    assert torch.equal(losses, again)
    assert all(torch.equal(weights[key], as_well[key]) for key in weights)
    assert losses[-5:].mean() < 0.9 * losses[:5].mean()


@pytest.mark.parametrize("trainable", [pytest.param(value, marks=GPU) for value in (False, True)])
@pytest.mark.parametrize("model", ["linear", "cnn"])
def test_a_captured_graph_gives_the_losses_of_eager_steps(model, trainable):
    store = recordings("cuda")
    name = "linear-256" if trainable else "mel-512-128"
    chunks = [range(100), range(100, 200)]
    captured, _ = train(store, chunks, name=name, model=model, trainable=trainable, steps=200)
    eager, _ = train(store, chunks, name=name, model=model, trainable=trainable, steps=200, capture=False)
    torch.testing.assert_close(captured, eager, rtol=1e-3, atol=0)
    assert captured[-20:].mean() < captured[:20].mean()


@pytest.mark.parametrize("name", [pytest.param(n, marks=GPU) for n in ("linear-512", "log-4096", "cqt-12", "cqt-96")])
def test_a_captured_graph_gives_the_losses_of_eager_steps_for_each_engine(name):
    store = recordings("cuda")
    captured, eager = (train(store, [range(200)], name=name, steps=200, capture=c)[0] for c in (True, False))
    torch.testing.assert_close(captured, eager, rtol=1e-3, atol=0)


@pytest.mark.parametrize("name", [pytest.param(n, marks=GPU) for n in ("mel-512-128", "linear-512", "log-4096")])
@pytest.mark.parametrize("model", ["linear", "cnn"])
def test_one_seed_trains_the_same_weights_twice_on_cuda(model, name):
    store = recordings("cuda")
    (losses, weights), (again, as_well) = (train(store, [range(100)], model=model, name=name) for _ in range(2))
    assert torch.equal(losses, again)
    assert all(torch.equal(weights[key], as_well[key]) for key in weights)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_warming_up_a_graph_leaves_no_trace():
    store = recordings("cuda")
    for taken in (0, 5):  # a fresh optimiser, and one that has a state
        module, steps = steps_for(store)
        if taken:
            steps(draw_windows(store, range(taken), batch_size=16, length=16384, seed=0)).wait()
            steps.graph = None
        steps.rates.fill_(0.1)
        weights = {key: value.clone() for key, value in module.state_dict().items()}
        state = [{key: value.clone() for key, value in entry.items()} for entry in steps.optimizer.state.values()]
        steps._capture()
        assert all(torch.equal(value, weights[key]) for key, value in module.state_dict().items())
        for i, entry in enumerate(steps.optimizer.state.values()):
            for key, value in entry.items():
                assert torch.equal(value, state[i][key]) if taken else (value == 0).all()


def test_groups_start_at_multiples_of_their_length(monkeypatch):
    """So a run that goes on from any step passes the same windows together as one that went through."""
    monkeypatch.setattr(sweep.training.steps, "group_length", lambda *_: 4)
    store, taken = recordings("cpu"), []
    module, steps = steps_for(store)
    take = steps._take
    monkeypatch.setattr(steps, "_take", lambda size: (taken.append(size), take(size)))
    for chunk in (range(0, 3), range(3, 13), range(13, 16)):
        steps(draw_windows(store, chunk, batch_size=16, length=16384, seed=0))
    assert taken == [3, 1, 4, 4, 1, 3]
    together = {key: value.clone() for key, value in module.state_dict().items()}
    monkeypatch.undo()
    _, one_by_one = train(store, [range(16)])
    torch.testing.assert_close(together, one_by_one, rtol=1e-4, atol=1e-7)


def bare(representation, trainable: bool = False, **options) -> Transcriber:
    """A transcriber without weights in its model."""
    features = features_of(representation, 16384)
    return Transcriber(
        representation.front_end(trainable=trainable), Model(features), features, replace(PROTOCOL, **options)
    )


@each([ROWS["linear-256"], ROWS["log-4096"]])
def test_groups_are_bounded_by_memory_and_checkpoints(representation):
    module = bare(representation, batch_size=100)
    cpu, cuda = torch.device("cpu"), torch.device("cuda")
    assert group_length(module, cpu) == chunk_length(module, cpu) == 1
    group, chunk = group_length(module, cuda), chunk_length(module, cuda)
    assert group == (10 if representation.name == "linear-256" else 256 * 2**20 // (4 * 100 * 2049 * 33))
    assert chunk % group == 0 and 100 - group < chunk <= 100
    # An interval shorter than a group does not change what is computed.
    module.protocol = replace(module.protocol, checkpoint_every=3)
    assert group_length(module, cuda) == chunk_length(module, cuda) == group
    trained = bare(ROWS["linear-256"], trainable=True)
    assert group_length(trained, cuda) == 1
    trained.protocol = replace(PROTOCOL, fixed_steps=100)  # its engine copies frames while it is fixed, too
    assert trained.frozen_frontend and group_length(trained, cuda) == 1


def test_the_gradient_of_the_loss_is_autograds():
    module, _ = steps_for(recordings("cpu"))
    logits = (3 * torch.randn(16, 128, dtype=torch.float64)).requires_grad_()
    target = (torch.rand(16, 128) < 0.1).double()
    (expected,) = torch.autograd.grad(64 * torch.nn.functional.binary_cross_entropy_with_logits(logits, target), logits)
    wanted = {"frames": target[:, None]}
    gradient = module.loss_gradient({"frames": logits.detach()[:, None]}, wanted)
    torch.testing.assert_close(gradient["frames"][:, 0], expected)
    said = [{"frames": logits[:, None]}, {"frames": -logits[:, None]}]
    twice = {"frames": torch.stack([target[:, None]] * 2)}
    both = module.loss({"frames": torch.stack([one["frames"] for one in said])}, twice)
    torch.testing.assert_close(both, torch.stack([module.loss(one, wanted) for one in said]))


# Where the audio lies


@pytest.mark.parametrize("dtype", [np.int16, np.float32])
@pytest.mark.parametrize("placement", [pytest.param(p, marks=GPU) for p in ("auto", "int16", "float32", "host")])
def test_windows_are_the_same_wherever_the_audio_lies(placement, dtype):
    there, here = recordings("cuda", placement, dtype), recordings("cpu", dtype=dtype)
    assert there.samples.is_cuda == (placement != "host")
    start = torch.arange(0, 200_000, 7_919)
    for recording in (1, torch.arange(len(start)) % 2):
        actual = there.audio(recording, start, 16384)
        assert actual.is_cuda
        # Rounding to int16 is off by half a step.
        tolerance = 0.5 / 32768 + 1e-7 if placement == "int16" and dtype == np.float32 else 0
        torch.testing.assert_close(actual.cpu(), here.audio(recording, start, 16384), rtol=0, atol=tolerance)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_training_from_the_host_takes_the_same_steps():
    on_device, on_host = (train(recordings("cuda", placement), [range(100)])[0] for placement in ("auto", "host"))
    assert torch.equal(on_device, on_host)


def test_on_the_cpu_audio_keeps_its_type():
    assert place(10**12, True, torch.device("cpu"), "auto") == (torch.int16, False)
    assert place(10**12, False, torch.device("cpu"), "auto") == (torch.float32, False)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_audio_goes_where_it_fits():
    cuda = torch.device("cuda")
    room = torch.cuda.mem_get_info()[0] // 2
    assert place(1000, True, cuda, "auto") == (torch.int16, False)
    assert place(1000, False, cuda, "auto") == (torch.float32, False)
    assert place(room // 3, False, cuda, "auto") == (torch.int16, False)
    assert place(room, False, cuda, "auto") == (torch.int16, True)


# The CNN


@pytest.mark.parametrize(("bins", "height", "rows"), [(84, 84, 1), (128, 128, 1), (129, 128, 1), (257, 128, 65)])
def test_the_cnns_first_kernel_spans_128_bins_or_all(bins, height, rows):
    model = CNN(Features(1, bins, np.arange(33), 0.0))
    assert model.along_frequency.weight.shape == (128, 1, height, 1)
    assert model.over_time.weight.shape == (256, 128, 1, 33)
    assert model.output.weight.shape == (128, 256 * rows) and model.output.bias is None
    x = torch.randn(2, bins, 33)
    # The definition written out: every second row of bins, all channels; then all frames at once.
    first = torch.stack([x[:, r : r + height] for r in range(0, bins - height + 1, 2)], 1)  # (2, rows, height, 33)
    first = torch.einsum("nrhf,ch->ncrf", first, model.along_frequency.weight[:, 0, :, 0])
    first = (first + model.along_frequency.bias[:, None, None]).relu()
    second = torch.einsum("ncrf,dcf->ndr", first, model.over_time.weight[:, :, 0])
    second = (second + model.over_time.bias[:, None]).relu()
    expected = second.reshape(2, -1) @ model.output.weight.T
    torch.testing.assert_close(model(x[:, None])["frames"][:, 0], expected, rtol=1e-4, atol=1e-5)


def test_models_take_channels():
    """The CNN's convolutions as PyTorch's own, over all channels; the linear layer over channels, bins and frames."""
    x = torch.randn(2, 3, 140, 17)
    features = Features(3, 140, np.arange(17), 0.0)
    cnn = CNN(features)
    expected = cnn.output(cnn.over_time(cnn.along_frequency(x).relu()).relu().flatten(1))
    torch.testing.assert_close(cnn(x)["frames"][:, 0], expected, rtol=1e-4, atol=1e-5)
    linear = models["linear"](features)
    torch.nn.init.normal_(linear.output.weight)
    torch.testing.assert_close(linear(x)["frames"][:, 0], x.flatten(1) @ linear.output.weight.T)

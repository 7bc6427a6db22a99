"""Training steps of models that see segments: against a plain loop, and what their random numbers depend on."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from configs import make_config, run_alone
from short_training import segment_config, weights
from test_steps import GPU, recordings, steps_for, train

import sweep.training.steps
from sweep.data.reading import read_split
from sweep.data.recordings import Recordings
from sweep.data.windows import draw_windows
from sweep.training.building import build_transcriber
from sweep.training.fitting import ignorant_loss
from sweep.training.schedule import learning_rates
from sweep.transforms import MelSpectrogram

RECIPE = {"weight_decay": 0.01, "clip": 3.0, "warm_up": 0.2, "schedule": "cosine", "learning_rate": 1e-3, "steps": 40}
AUGMENT = make_config("protocol=converged", "model=conv").protocol.augment


def test_the_losses_of_two_heads_and_their_gradient_are_autograds():
    config = make_config("model=conv", "protocol.loss_scale=10", "protocol.onset_weight=3")
    module = build_transcriber(config, None)
    torch.manual_seed(0)
    logits, target = ({h: torch.rand(5, 7, 128, dtype=torch.float64) for h in ("frames", "onsets")} for _ in range(2))
    logits = {head: (8 * value - 4).requires_grad_() for head, value in logits.items()}
    target = {head: (value < 0.1).double() for head, value in target.items()}
    expected = 0
    for head, weight in (("frames", 1), ("onsets", 3)):
        p = 1 / (1 + (-logits[head]).exp())
        expected += weight * -(target[head] * p.log() + (1 - target[head]) * (1 - p).log()).sum() / (5 * 7 * 128)
    expected = 10 * expected
    torch.testing.assert_close(module.loss(logits, target), expected)
    gradients = torch.autograd.grad(expected, list(logits.values()))
    found = module.loss_gradient({head: value.detach() for head, value in logits.items()}, target)
    for head, gradient in zip(logits, gradients, strict=True):
        torch.testing.assert_close(found[head], gradient)


@pytest.mark.parametrize("output_bias", [False, True])
def test_what_a_model_that_knows_nothing_loses(output_bias, small_set, tmp_path):
    """Each head by the share of its own target, weighted as its loss."""
    train = Recordings(read_split(small_set, "train"))
    config = segment_config(small_set, tmp_path, protocol__output_bias=output_bias, protocol__onset_width=0.08)
    expected = 0
    for share, weight in ((train.sounding.share.numpy(), 1), (train.beginning(0.08).share.numpy(), 4)):
        said = share.clip(1e-4, 0.5) if output_bias else np.full(128, 0.5)
        expected += weight * 128 * -(share * np.log(said) + (1 - share) * np.log(1 - said)).mean()
    assert ignorant_loss(build_transcriber(config, None), config, train) == pytest.approx(expected, rel=1e-5)


def test_the_rate_rises_and_falls():
    """Of 8 steps with a warm-up of half of them."""
    protocol = replace(make_config().protocol, steps=8, learning_rate=2.0, learning_rate_scaling="none", warm_up=0.5)
    rise = np.minimum(1, np.arange(1, 9) / 4)
    for schedule, fall in (
        ("constant", np.ones(8)),
        ("linear", 1 - np.arange(8) / 8),
        ("cosine", 0.5 + 0.5 * np.cos(np.pi * np.arange(8) / 8)),
    ):
        found = [learning_rates(replace(protocol, schedule=schedule), step, 100, 0.5) for step in range(8)]
        np.testing.assert_allclose(found, np.stack([2 * rise * fall, 0.5 * rise * fall], axis=1))


def test_the_steps_equal_a_plain_loop(small_set, tmp_path):
    """Standardised features, two heads, a clipped gradient and AdamW at a rate that rises and falls: written out."""
    keys = {"steps": 6, "warm_up": 0.5, "weight_decay": 0.1, "clip": 2.0, "learning_rate": 3e-3, "onset_width": 0.08}
    keys = {f"protocol__{key}": value for key, value in keys.items()} | {"data__validation": 0, "model__dropout": 0.0}
    off = dict.fromkeys(AUGMENT.record(), 0)
    config = segment_config(small_set, tmp_path / "runs", **keys, protocol__augment=off)
    run_alone(config)

    train = Recordings(read_split(small_set, "train"))
    mel = MelSpectrogram(n_fft=512, n_mels=128, f_min=50.0, f_max=6000.0)

    def drawn(step: int) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        windows = draw_windows(train, range(step, step + 1), batch_size=4, length=16_384, seed=0)
        index, start = windows.recording[0], windows.start[0]
        audio = torch.nn.functional.normalize(train.audio(index, start, 16_384), dim=1)
        at = start[:, None].numpy() + 512 * np.arange(33)
        wanted = {head: torch.zeros(4, 33, 128) for head in ("frames", "onsets")}
        for clip, recording in enumerate(index.tolist()):
            for begin, end, pitch in train.notes[recording][:, :3]:
                wanted["frames"][clip, (at[clip] >= begin) & (at[clip] < end), pitch] = 1
                near = (at[clip] >= begin - 1764) & (at[clip] < begin + 1764)  # 40 ms
                wanted["onsets"][clip, near, pitch] = 1
        return torch.log(mel(audio) + 1e-5)[:, None], wanted

    seen = torch.cat([drawn(step)[0] for step in range(2)])
    deviation, mean = torch.std_mean(seen, dim=(0, 1, 3), keepdim=True, correction=0)
    torch.manual_seed(0)
    shares = {"frames": train.sounding.share, "onsets": train.beginning(0.08).share}
    model = build_transcriber(config, {h: s.clamp(1e-4, 0.5).logit().float() for h, s in shares.items()}).model.train()
    parameters = list(model.parameters())
    moments = [(torch.zeros_like(w), torch.zeros_like(w)) for w in parameters]
    norms = []
    for step in range(6):
        features, wanted = drawn(step)
        logits = model((features - mean) / (deviation + 0.01))
        loss = 0
        for head, weight in (("frames", 1), ("onsets", 4)):
            p = logits[head].sigmoid()
            entropy = -(wanted[head] * p.log() + (1 - wanted[head]) * (1 - p).log())
            loss = loss + weight * entropy.sum(2).mean()  # over the frames: the scale is 128
        gradients = torch.autograd.grad(loss, parameters)
        norms.append(math.sqrt(sum(float(g.square().sum()) for g in gradients)))
        rate = 3e-3 * min(1, (step + 1) / 3) * (1 + math.cos(math.pi * step / 6)) / 2
        with torch.no_grad():
            for w, g, (m, v) in zip(parameters, gradients, moments, strict=True):
                g = g * min(1, 2 / norms[-1])
                m += 0.1 * (g - m)
                v += 0.001 * (g * g - v)
                w *= 1 - rate * 0.1
                w -= rate * (m / (1 - 0.9 ** (step + 1))) / ((v / (1 - 0.999 ** (step + 1))).sqrt() + 1e-8)
    assert min(norms) < 2 < max(norms)  # some were clipped
    trained = {key.removeprefix("model."): value for key, value in weights(config).items() if key.startswith("model.")}
    for key, value in model.state_dict().items():
        # A weight may move by the sum of the rates, 8e-3, and Adam's first steps turn rounding into moves.
        assert (trained[key] - value).double().square().mean().sqrt() < 1e-4, key


@pytest.mark.parametrize("model", ["conv", "crnn"])
def test_one_seed_gives_identical_scores_and_another_other_ones(model, small_set, tmp_path):
    """With dropout, batch norm and augmentation, whatever random numbers were drawn before."""
    config = segment_config(small_set, tmp_path / "runs", model)
    assert config.protocol.augment.on and config.model.options["dropout"]
    whole = run_alone(config)
    torch.rand(1000)
    elsewhere = replace(config, runs=str(tmp_path / "again"))
    assert run_alone(elsewhere).recordings == whole.recordings
    first, again = weights(config), weights(elsewhere)
    assert all(torch.equal(first[key], again[key]) for key in first)
    other = run_alone(replace(config, seed=1))
    assert other.scores["average_precision"] != whole.scores["average_precision"]


@pytest.mark.parametrize("kind", ["dropout", "noise", "equalise", "mask_bins", "mask_frames"])
def test_each_random_thing_depends_on_seed_and_step_alone(kind):
    """Not on the chunks; and each of them changes what is trained."""
    store, off = recordings("cpu"), replace(AUGMENT, **dict.fromkeys(AUGMENT.record(), 0.0))

    def trained(chunks: list[range], on: bool = True, seed: int = 0) -> torch.Tensor:
        augment = replace(off, **{kind: 0.5}) if on and kind != "dropout" else off
        module, steps = steps_for(store, model="conv", augment=augment, batch_size=2, **RECIPE)
        steps.seed = seed
        for part in module.modules():
            if isinstance(part, torch.nn.Dropout):
                part.p = 0.2 if on and kind == "dropout" else 0.0
        losses = []
        for chunk in chunks:
            torch.manual_seed(len(losses))
            losses.append(steps(draw_windows(store, chunk, batch_size=2, length=16_384, seed=0)).wait())
        return torch.cat(losses)

    whole = trained([range(4)])
    assert torch.equal(whole, trained([range(1), range(1, 3), range(3, 4)]))
    assert not torch.equal(whole, trained([range(4)], seed=1))
    assert not torch.equal(whole, trained([range(4)], on=False))
    assert len(set(whole.tolist())) == 4


def test_groups_draw_by_their_first_step(monkeypatch):
    """Chunks of whole groups give the same numbers; those of steps in between may give others."""
    monkeypatch.setattr(sweep.training.steps, "group_length", lambda *_: 2)
    store, found = recordings("cpu"), []
    for chunks in ([range(6)], [range(2), range(2, 6)], [range(4), range(4, 6)]):
        module, steps = steps_for(store, model="conv", augment=AUGMENT, batch_size=2, **RECIPE)
        for chunk in chunks:
            steps(draw_windows(store, chunk, batch_size=2, length=16_384, seed=0))
        found.append(module.state_dict())
    for other in found[1:]:
        assert all(torch.equal(found[0][key], other[key]) for key in found[0])


# On a GPU


@pytest.mark.parametrize("model", [pytest.param(m, marks=GPU) for m in ("conv", "crnn")])
def test_one_seed_trains_the_same_weights_twice_on_cuda(model):
    store = recordings("cuda")
    options = {"model": model, "augment": AUGMENT, **RECIPE}
    (losses, trained), (again, as_well) = (train(store, [range(40)], **options) for _ in range(2))
    assert torch.equal(losses, again)
    assert all(torch.equal(trained[key], as_well[key]) for key in trained)


@pytest.mark.parametrize("augmented", [pytest.param(value, marks=GPU) for value in (False, True)])
@pytest.mark.parametrize("model", ["conv", "crnn"])
def test_a_captured_graph_gives_the_losses_of_eager_steps(model, augmented):
    """With dropout; the graph draws its random numbers anew in each replay, as the steps one by one do."""
    store = recordings("cuda")
    options = {"model": model, "standardise": 0, **RECIPE} | ({"augment": AUGMENT} if augmented else {})
    captured, eager = (train(store, [range(20), range(20, 40)], capture=c, **options)[0] for c in (True, False))
    torch.testing.assert_close(captured[:10], eager[:10], rtol=1e-3, atol=0)
    torch.testing.assert_close(captured, eager, rtol=0.02, atol=0)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("model", ["conv", "crnn"])
def test_warming_up_a_graph_leaves_no_trace_in_batch_norm(model):
    store = recordings("cuda")
    module, steps = steps_for(store, model=model, **RECIPE)
    steps(draw_windows(store, range(5), batch_size=16, length=16_384, seed=0)).wait()
    steps.graph, before = None, {key: value.clone() for key, value in module.state_dict().items()}
    steps._capture()
    assert any("running_mean" in key for key in before)
    assert all(torch.equal(value, before[key]) for key, value in module.state_dict().items())

"""Training: the protocols' steps against a plain loop, seeds, what ends a run, and what its result says."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from configs import changed, run_alone
from conftest import ROWS
from rich.console import Console
from short_training import converged_config, weights

from sweep.config import RunConfig
from sweep.data.reading import read_split
from sweep.data.recording import DataError
from sweep.data.recordings import Recordings
from sweep.data.sources.demo import make_demo
from sweep.data.windows import training_windows
from sweep.results.progress import PROGRESS
from sweep.results.result import read_result
from sweep.results.state import CHECKPOINT
from sweep.training.building import build_frontend, build_transcriber, prior_logits
from sweep.training.fitting import ignorant_loss
from sweep.training.loading import load, trained_on
from sweep.training.model import Features
from sweep.training.models.linear import Linear
from sweep.training.transcriber import Transcriber
from sweep.transforms import STFT, MelSpectrogram


@pytest.fixture
def config(small_set, tmp_path):
    return converged_config(small_set, tmp_path / "runs")


def in_protocol(config: RunConfig, **keys) -> RunConfig:
    """A run in the same protocol but for some keys."""
    return replace(config, protocol=replace(config.protocol, **keys))


def test_paper_steps_equal_a_plain_loop(config):
    """Log features, no bias, weights from 0, mean binary cross-entropy x 64, Adam at 1e-6: written out in torch."""
    keys = {"standardise": 0, "output_bias": False, "schedule": "constant", "learning_rate": 1e-6}
    config = in_protocol(config, **keys, learning_rate_scaling="none")
    config = changed(config, data__validation=0)
    run_alone(config)

    train = Recordings(read_split(Path(config.data.root), "train"))
    weight = torch.zeros(128, 128 * 33, requires_grad=True)
    adam = torch.optim.Adam([weight], lr=1e-6)
    mel = MelSpectrogram(n_fft=512, n_mels=128, f_min=50.0, f_max=6000.0)
    for step in range(6):
        audio, target = training_windows(train, batch_size=8, length=16384, seed=0, step=step)
        audio = audio / (audio.square().sum(1, keepdim=True).sqrt() + 1e-7)
        probability = torch.sigmoid(torch.log(mel(audio) + 1e-5).reshape(8, -1) @ weight.T)
        loss = 64 * -(target * probability.log() + (1 - target) * (1 - probability).log()).mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
    torch.testing.assert_close(weights(config)["model.output.weight"], weight.detach(), rtol=1e-3, atol=1e-9)


def test_features_are_standardised_by_the_first_batches(config):
    config = in_protocol(config, steps=1)
    run_alone(config)
    train, _, _ = load(config.data, 44100, torch.device("cpu"), Console(quiet=True))
    mel = MelSpectrogram(n_fft=512, n_mels=128, f_min=50.0, f_max=6000.0)
    first = [training_windows(train, batch_size=8, length=16384, seed=0, step=step)[0] for step in range(4)]
    z = np.log(mel(torch.nn.functional.normalize(torch.cat(first), dim=1)).numpy().astype(np.float64) + 1e-5)
    np.testing.assert_allclose(weights(config)["mean"][0, :, 0], z.mean(axis=(0, 2)), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(weights(config)["deviation"][0, :, 0], z.std(axis=(0, 2)) + 0.01, rtol=1e-3, atol=1e-3)


def test_the_output_bias_starts_at_the_logit_of_each_notes_share(small_set, config):
    train = Recordings(read_split(small_set, "train"))
    share = train.sounding.share.numpy()
    expected = np.clip(share, 1e-4, 0.5)
    np.testing.assert_allclose(prior_logits(config, train)["frames"], np.log(expected / (1 - expected)), rtol=1e-5)
    assert (share > 1e-4).sum() > 5


def test_the_learning_rate_is_scaled_by_the_features_and_falls_to_0(config):
    features = Features(1, 257, np.arange(33), 0.0)
    module = Transcriber(STFT(n_fft=512), Linear(features), features, replace(config.protocol, steps=4))
    start = 0.06 / np.sqrt(257 * 33)
    np.testing.assert_allclose([module.rates(step)[0] for step in range(5)], start * np.array([1, 0.75, 0.5, 0.25, 0]))


def test_one_seed_gives_identical_scores_and_another_other_ones(config, tmp_path):
    first = run_alone(config)
    again = run_alone(replace(config, runs=str(tmp_path / "again")))
    other = run_alone(replace(config, seed=1))
    assert first.scores == again.scores
    assert first.recordings == again.recordings
    assert first.scores != other.scores


def test_a_diverging_run_says_so_and_keeps_no_damaged_state(config):
    config = in_protocol(config, learning_rate=1e38)
    with pytest.raises(FloatingPointError, match=r"the loss is nan at step \d: .* lower protocol\.learning_rate"):
        run_alone(config)
    assert not (config.folder / CHECKPOINT).exists()


def test_a_rising_loss_ends_the_run(config):
    keys = {"learning_rate": 10.0, "learning_rate_scaling": "none", "schedule": "constant"}
    config = in_protocol(config, **keys, steps=200, checkpoint_every=200)
    with pytest.raises(FloatingPointError, match=r"the loss has risen to .* by step \d+, .* lower protocol\.learn"):
        run_alone(config)
    assert read_result(config.folder) is None


def test_a_rise_is_not_forgotten_by_a_resumed_run(config):
    keys = {"learning_rate": 1.0, "learning_rate_scaling": "none", "schedule": "constant"}
    config = in_protocol(config, **keys, steps=200, checkpoint_every=20)
    for _ in range(2):
        with pytest.raises(FloatingPointError, match="the loss has risen"):
            run_alone(config)


@pytest.mark.parametrize("output_bias", [False, True])
def test_what_a_model_that_knows_nothing_loses(small_set, config, output_bias):
    train = Recordings(read_split(small_set, "train"))
    share = train.sounding.share.numpy()
    said = np.clip(share, 1e-4, 0.5) if output_bias else np.full(128, 0.5)
    expected = 64 * -(share * np.log(said) + (1 - share) * np.log(1 - said)).mean()
    config = in_protocol(config, output_bias=output_bias)
    assert ignorant_loss(build_transcriber(config, None), config, train) == pytest.approx(expected, rel=1e-5)


def test_a_window_too_short_to_reflect_is_padded_with_zeros(config):
    zeros = changed(in_protocol(config, window=250), representation__pad_mode="constant")
    reflect = in_protocol(config, window=250)
    clip = torch.randn(2, 250)
    assert torch.equal(build_frontend(reflect)(clip), build_frontend(zeros)(clip))


def test_the_papers_protocol_takes_logarithms_of_windows_of_unit_norm_only(config):
    for key, value in (
        ("level", {"name": "file"}),
        ("compression", {"name": "db", "of": "magnitude"}),
        ("normalisation", {"name": "minmax"}),
        ("stack", {"name": "differences", "lags": [1]}),
    ):
        with pytest.raises(ValueError, match=r"^protocol .*: its learning rate is for .*; choose protocol=converged"):
            changed(in_protocol(config, standardise=0), **{f"representation__{key}": value})
        changed(config, **{f"representation__{key}": value})


def test_data_that_has_changed_is_read_again(config):
    where = 44100, torch.device("cpu"), Console(quiet=True)
    first = load(replace(config.data, fingerprint="a"), *where)
    assert load(replace(config.data, fingerprint="a"), *where) is first
    assert load(replace(config.data, fingerprint="b"), *where) is not first


def test_the_cnn_trains_and_its_weights_start_from_the_seed(config):
    config = changed(config, model__name="cnn")
    config = in_protocol(config, steps=30, checkpoint_every=30, learning_rate=1e-3, learning_rate_scaling="none")
    first = run_alone(config)
    again = run_alone(replace(config, overwrite=True))
    assert first.scores == again.scores and config.folder.parts[-3] == "cnn"
    (curves,) = config.folder.glob("curves/*/metrics.csv")
    losses = [float(row.split(",")[1]) for row in curves.read_text().splitlines()[1:] if row.split(",")[1]]
    assert losses[-1] < losses[0]


def test_a_recording_too_short_to_score_is_named_before_training(config, tmp_path):
    make_demo(tmp_path / "short", train=2, test=1, seconds=2.2)
    config = changed(config, data__root=str(tmp_path / "short"), data__validation=0)
    with pytest.raises(DataError, match=r"2001\.wav: 97020 samples, .* needs at least 109636"):
        run_alone(config)
    assert [path.name for path in config.folder.iterdir()] == [PROGRESS]


def test_the_result_says_what_there_is_to_know(config):
    result = run_alone(config)
    assert read_result(config.folder) == result
    assert (result.bins, result.context, result.family) == (128, 512, "mel")
    assert result.parameters == {"frontend": 0, "model": 128 * 33 * 128 + 128}
    assert set(result.recordings) == {"2001", "2002"}
    assert result.scores["accuracy"] == np.mean([r["accuracy"] for r in result.recordings.values()])
    assert result.peak_memory_bytes > 1e6 and result.windows_per_second > 0
    assert set(result.seconds) == {"setup", "training", "scoring"}
    assert not list(config.folder.glob("*.partial"))


def test_what_was_trained_on_says_which_pitches_never_sound(config, small_set):
    train = load(changed(config, data__validation=0).data, 44100, torch.device("cpu"), Console(quiet=True)).train
    labels = [line.split(",") for path in (small_set / "train_labels").iterdir() for line in path.open()]
    missing = set(range(21, 109)) - {int(words[3]) for words in labels if words[3].isdigit()}
    assert 0 < len(missing) < 88
    amount = "3 recordings, 0.2 min"
    assert trained_on(train) == f"{amount}, in which {len(missing)} of the piano's 88 pitches never sound"
    train.notes = [np.array([[0, 9, pitch] for pitch in range(21, 100)]), np.array([[0, 9, p] for p in range(90, 120)])]
    assert trained_on(train) == amount


def test_validation_is_logged(config):
    run_alone(config)
    (curves,) = config.folder.glob("curves/*/metrics.csv")
    header, *rows = curves.read_text().splitlines()
    assert {"train/loss", "validation/loss", "validation/average_precision"} <= set(header.split(","))
    assert len(rows) >= 3


@pytest.mark.parametrize("fixed", [0, 3])
def test_a_front_end_is_trained_as_in_a_plain_loop(fixed, config):
    """At a rate of its own, and from a step of its own on, with an Adam that knows nothing of the steps before."""
    keys = {"standardise": 0, "output_bias": False, "fixed_steps": fixed, "learning_rate": 1e-4}
    config = in_protocol(config, **keys, learning_rate_scaling="none")
    config = changed(config, frontend__trainable=True, frontend__learning_rate=1e-3, data__validation=0)
    config = replace(config, representation=ROWS["linear-256"])
    result = run_alone(config)
    assert result.variant == "trainable+frontend_rate=0.001" and result.parameters["frontend"] == 2 * 129 * 256

    train = Recordings(read_split(Path(config.data.root), "train"))
    weight = torch.zeros(128, 129 * 33, requires_grad=True)
    stft = STFT(n_fft=256, scale="linear", pad_mode="constant", trainable=True)
    adams = torch.optim.Adam([weight], lr=1e-4), torch.optim.Adam(stft.parameters(), lr=1e-3)
    for step in range(6):
        audio, target = training_windows(train, batch_size=8, length=16384, seed=0, step=step)
        audio = audio / (audio.square().sum(1, keepdim=True).sqrt() + 1e-7)
        logits = torch.log(stft(audio) + 1e-5).reshape(8, -1) @ weight.T
        (64 * torch.nn.functional.binary_cross_entropy_with_logits(logits, target)).backward()
        for adam, start, rate in zip(adams, (0, fixed), (1e-4, 1e-3), strict=True):
            adam.param_groups[0]["lr"] = rate * (1 - step / 6)
            if step >= start:
                adam.step()
            adam.zero_grad()
    trained = weights(config)
    assert (trained["model.output.weight"] - weight.detach()).norm() < 1e-3 * weight.detach().norm()
    fresh = STFT(n_fft=256, scale="linear", pad_mode="constant", trainable=True).engine.taps[0].detach()
    moved, expected = trained["frontend.transforms.0.engine.taps.0"] - fresh, stft.engine.taps[0].detach() - fresh
    assert (moved - expected).norm() < 0.01 * expected.norm()


def test_bad_numbers_are_named(config):
    with pytest.raises(ValueError, match=r"^protocol\.steps 0: needs a whole number"):
        replace(config.protocol, steps=0)
    with pytest.raises(ValueError, match=r"^protocol\.schedule 'step': choose one of linear, cosine, constant"):
        replace(config.protocol, schedule="step")
    with pytest.raises(ValueError, match=r"^model\.name 'transformer': choose one of cnn, conv, crnn, linear$"):
        replace(config.model, name="transformer")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_on_cuda_one_seed_gives_identical_scores(config):
    config = replace(config, device="cuda")
    result = run_alone(config)
    shutil.rmtree(config.folder)
    again = run_alone(config)
    assert "NVIDIA" in result.device
    assert again.scores == result.scores

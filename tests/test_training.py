"""Training: the protocols' steps against a plain loop, seeds, what ends a run, and what its result says."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from short_training import CONF, folder, quiet, run, short_settings, weights

from sweep import data, results
from sweep.data.demo import make_demo
from sweep.data.loading import load
from sweep.models import Linear, build_model
from sweep.run import ignorant_loss, prior_logits
from sweep.settings import check_protocol
from sweep.transcriber import Transcriber
from sweep.transforms import STFT, MelSpectrogram


@pytest.fixture
def settings(small_set, tmp_path):
    return short_settings(small_set, tmp_path / "runs")


@pytest.fixture
def linear_256() -> dict:
    with initialize_config_dir(str(CONF), version_base=None):
        numbers = compose("config", overrides=["representation=linear-256"]).representation
    return OmegaConf.to_container(numbers) | {"name": "linear-256"}


def test_paper_steps_equal_a_plain_loop(settings):
    """Log features, no bias, weights from 0, mean binary cross-entropy x 64, Adam at 1e-6: written out in torch."""
    settings["protocol"] |= {"standardise": 0, "output_bias": False, "schedule": "constant", "learning_rate": 1e-6}
    settings["protocol"] |= {"learning_rate_scaling": "none"}
    settings["data"]["validation"] = 0
    run(settings, quiet(), "")

    train = data.Recordings(data.read_split(Path(settings["data"]["root"]), "train"))
    weight = torch.zeros(128, 128 * 33, requires_grad=True)
    adam = torch.optim.Adam([weight], lr=1e-6)
    mel = MelSpectrogram(n_fft=512, n_mels=128, f_min=50.0, f_max=6000.0)
    for step in range(6):
        audio, target = data.training_windows(train, batch_size=8, length=16384, seed=0, step=step)
        audio = audio / (audio.square().sum(1, keepdim=True).sqrt() + 1e-7)
        probability = torch.sigmoid(torch.log(mel(audio) + 1e-5).reshape(8, -1) @ weight.T)
        loss = 64 * -(target * probability.log() + (1 - target) * (1 - probability).log()).mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
    torch.testing.assert_close(weights(settings)["model.output.weight"], weight.detach(), rtol=1e-3, atol=1e-9)


def test_features_are_standardised_by_the_first_batches(settings):
    settings["protocol"]["steps"] = 1
    run(settings, quiet(), "")
    train, _, _ = load(settings["data"], torch.device("cpu"), quiet())
    mel = MelSpectrogram(n_fft=512, n_mels=128, f_min=50.0, f_max=6000.0)
    first = [data.training_windows(train, batch_size=8, length=16384, seed=0, step=step)[0] for step in range(4)]
    z = np.log(mel(torch.nn.functional.normalize(torch.cat(first), dim=1)).numpy().astype(np.float64) + 1e-5)
    np.testing.assert_allclose(weights(settings)["mean"][:, 0], z.mean(axis=(0, 2)), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(weights(settings)["deviation"][:, 0], z.std(axis=(0, 2)) + 0.01, rtol=1e-3, atol=1e-3)


def test_the_output_bias_starts_at_the_logit_of_each_notes_share(small_set):
    train = data.Recordings(data.read_split(small_set, "train"))
    share = train.note_share().numpy()
    expected = np.clip(share, 1e-4, 0.5)
    np.testing.assert_allclose(prior_logits(train), np.log(expected / (1 - expected)), rtol=1e-5)
    assert (share > 1e-4).sum() > 5


def test_the_learning_rate_is_scaled_by_the_features_and_falls_to_0(settings):
    module = Transcriber(STFT(n_fft=512), Linear(257, 33), settings["protocol"] | {"steps": 4}, 33)
    start = 0.06 / np.sqrt(257 * 33)
    np.testing.assert_allclose([module.rates(step)[0] for step in range(5)], start * np.array([1, 0.75, 0.5, 0.25, 0]))


def test_one_seed_gives_identical_scores_and_another_other_ones(settings, tmp_path):
    first = run(settings, quiet(), "")
    again = run({**settings, "runs": str(tmp_path / "again")}, quiet(), "")
    other = run({**settings, "seed": 1}, quiet(), "")
    assert first["scores"] == again["scores"]
    assert first["recordings"] == again["recordings"]
    assert first["scores"] != other["scores"]


def test_a_diverging_run_says_so_and_keeps_no_damaged_state(settings):
    settings["protocol"]["learning_rate"] = 1e38
    with pytest.raises(FloatingPointError, match=r"the loss is nan at step \d: .* lower protocol\.learning_rate"):
        run(settings, quiet(), "")
    assert not (folder(settings) / results.CHECKPOINT).exists()


def test_a_rising_loss_ends_the_run(settings):
    settings["protocol"] |= {"learning_rate": 10.0, "learning_rate_scaling": "none", "schedule": "constant"}
    settings["protocol"] |= {"steps": 200, "checkpoint_every": 200}
    with pytest.raises(FloatingPointError, match=r"the loss has risen to .* by step \d+, .* lower protocol\.learn"):
        run(settings, quiet(), "")
    assert results.read_result(folder(settings)) is None


def test_a_rise_is_not_forgotten_by_a_resumed_run(settings):
    settings["protocol"] |= {"learning_rate": 1.0, "learning_rate_scaling": "none", "schedule": "constant"}
    settings["protocol"] |= {"steps": 200, "checkpoint_every": 20}
    for _ in range(2):
        with pytest.raises(FloatingPointError, match="the loss has risen"):
            run(settings, quiet(), "")


@pytest.mark.parametrize("output_bias", [False, True])
def test_what_a_model_that_knows_nothing_loses(small_set, settings, output_bias):
    train = data.Recordings(data.read_split(small_set, "train"))
    share = train.note_share().numpy()
    said = np.clip(share, 1e-4, 0.5) if output_bias else np.full(128, 0.5)
    expected = 64 * -(share * np.log(said) + (1 - share) * np.log(1 - said)).mean()
    assert ignorant_loss(train, settings["protocol"] | {"output_bias": output_bias}) == pytest.approx(
        expected, rel=1e-5
    )


def test_a_window_shorter_than_the_padding_is_refused(settings):
    settings["protocol"]["window"] = 250
    with pytest.raises(ValueError, match=r"protocol\.window 250: too short for mel-512-128, .* 256 samples"):
        run(settings, quiet(), "")


def test_data_that_has_changed_is_read_again(settings, tmp_path):
    settings["data"]["fingerprint"] = "a"
    first = load(settings["data"], torch.device("cpu"), quiet())
    assert load(settings["data"], torch.device("cpu"), quiet()) is first
    settings["data"]["fingerprint"] = "b"
    assert load(settings["data"], torch.device("cpu"), quiet()) is not first


def test_the_cnn_trains_and_its_weights_start_from_the_seed(settings):
    settings["model"]["name"] = "cnn"
    settings["protocol"] |= {"steps": 30, "checkpoint_every": 30, "learning_rate": 1e-3}
    settings["protocol"] |= {"learning_rate_scaling": "none"}
    first = run(settings, quiet(), "")
    again = run(settings | {"overwrite": True}, quiet(), "")
    assert first["scores"] == again["scores"] and folder(settings).parts[-3] == "cnn"
    (curves,) = folder(settings).glob("curves/*/metrics.csv")
    losses = [float(row.split(",")[1]) for row in curves.read_text().splitlines()[1:] if row.split(",")[1]]
    assert losses[-1] < losses[0]


def test_a_recording_too_short_to_score_is_named_before_training(settings, tmp_path):
    make_demo(tmp_path / "short", train=2, test=1, seconds=2.2)
    settings["data"] |= {"root": str(tmp_path / "short"), "validation": 0}
    with pytest.raises(data.DataError, match=r"2001\.wav: 97020 samples, .* needs at least 109636"):
        run(settings, quiet(), "")
    assert not list(folder(settings).iterdir())


def test_another_sample_rate_is_refused(settings):
    settings["representation"]["sample_rate"] = 22050
    with pytest.raises(ValueError, match=r"mel-512-128\.yaml: sample_rate 22050: the recordings have 44100 Hz"):
        run(settings, quiet(), "")


def test_the_result_says_what_there_is_to_know(settings):
    result = run(settings, quiet(), "")
    assert results.read_result(folder(settings)) == result
    assert (result["bins"], result["context"], result["family"]) == (128, 512, "mel")
    assert result["parameters"] == {"frontend": 0, "model": 128 * 33 * 128 + 128}
    assert set(result["recordings"]) == {"2001", "2002"}
    assert result["scores"]["accuracy"] == np.mean([r["accuracy"] for r in result["recordings"].values()])
    assert result["peak_memory_bytes"] > 1e6 and result["windows_per_second"] > 0
    assert set(result["seconds"]) == {"setup", "training", "scoring"}
    assert not list(folder(settings).glob("*.partial"))


def test_validation_is_logged(settings):
    run(settings, quiet(), "")
    (curves,) = folder(settings).glob("curves/*/metrics.csv")
    header, *rows = curves.read_text().splitlines()
    assert {"train/loss", "validation/loss", "validation/average_precision"} <= set(header.split(","))
    assert len(rows) >= 3


@pytest.mark.parametrize("fixed", [0, 3])
def test_a_front_end_is_trained_as_in_a_plain_loop(fixed, settings, linear_256):
    """At a rate of its own, and from a step of its own on, with an Adam that knows nothing of the steps before."""
    settings["frontend"] |= {"trainable": True, "learning_rate": 1e-3}
    settings["protocol"] |= {"standardise": 0, "output_bias": False, "fixed_steps": fixed, "learning_rate": 1e-4}
    settings["protocol"] |= {"learning_rate_scaling": "none"}
    settings["data"]["validation"] = 0
    settings["representation"] = linear_256
    result = run(settings, quiet(), "")
    assert result["variant"] == "trainable+frontend_rate=0.001" and result["parameters"]["frontend"] == 2 * 129 * 256

    train = data.Recordings(data.read_split(Path(settings["data"]["root"]), "train"))
    weight = torch.zeros(128, 129 * 33, requires_grad=True)
    stft = STFT(n_fft=256, scale="linear", pad_mode="constant", trainable=True)
    adams = torch.optim.Adam([weight], lr=1e-4), torch.optim.Adam(stft.parameters(), lr=1e-3)
    for step in range(6):
        audio, target = data.training_windows(train, batch_size=8, length=16384, seed=0, step=step)
        audio = audio / (audio.square().sum(1, keepdim=True).sqrt() + 1e-7)
        logits = torch.log(stft(audio) + 1e-5).reshape(8, -1) @ weight.T
        (64 * torch.nn.functional.binary_cross_entropy_with_logits(logits, target)).backward()
        for adam, start, rate in zip(adams, (0, fixed), (1e-4, 1e-3), strict=True):
            adam.param_groups[0]["lr"] = rate * (1 - step / 6)
            if step >= start:
                adam.step()
            adam.zero_grad()
    trained = weights(settings)
    assert (trained["model.output.weight"] - weight.detach()).norm() < 1e-3 * weight.detach().norm()
    fresh = STFT(n_fft=256, scale="linear", pad_mode="constant", trainable=True).engine.taps[0].detach()
    moved, expected = trained["frontend.engine.taps.0"] - fresh, stft.engine.taps[0].detach() - fresh
    assert (moved - expected).norm() < 0.01 * expected.norm()


def test_bad_numbers_are_named(settings):
    with pytest.raises(ValueError, match=r"conf/protocol/converged\.yaml: steps 0: needs a whole number"):
        check_protocol(settings["protocol"] | {"steps": 0})
    with pytest.raises(ValueError, match=r"schedule 'cosine': choose one of linear, constant"):
        check_protocol(settings["protocol"] | {"schedule": "cosine"})
    with pytest.raises(ValueError, match=r"model\.name 'transformer': choose one of linear"):
        build_model("transformer", 1, 1, None)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_on_cuda_one_seed_gives_identical_scores(settings):
    settings["device"] = "cuda"
    result = run(settings, quiet(), "")
    shutil.rmtree(folder(settings))
    again = run(settings, quiet(), "")
    assert "NVIDIA" in result["device"]
    assert again["scores"] == result["scores"]

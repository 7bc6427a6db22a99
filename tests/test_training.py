"""Training: the protocols' steps against a plain loop, resuming, seeds, and where a run goes on from."""

import copy
import os
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import DEVICES
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from rich.console import Console

import sweep.checkpoints
import sweep.run
from sweep import data, results
from sweep.data.demo import make_demo
from sweep.data.loading import load
from sweep.locks import claim
from sweep.models import Linear, build_model
from sweep.run import ignorant_loss, prior_logits
from sweep.settings import check_protocol
from sweep.transcriber import Transcriber
from sweep.transforms import STFT, MelSpectrogram

CONF = Path(__file__).resolve().parents[1] / "conf"


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "tiny"
    make_demo(folder, train=3, test=2, seconds=4)
    return folder


@pytest.fixture
def settings(root, tmp_path):
    """A short run of mel-512-128 in the converged protocol."""
    with initialize_config_dir(str(CONF), version_base=None):
        config = compose("config", overrides=["protocol=converged", "representation=mel-512-128", "device=cpu"])
    settings = OmegaConf.to_container(config, resolve=True)
    settings["data"] |= {"source": "musicnet", "root": str(root), "name": "tiny", "validation": 0.3, "cache": None}
    settings["protocol"] |= {"name": "converged", "steps": 6, "batch_size": 8, "checkpoint_every": 2}
    settings["protocol"] |= {"validation_windows": 10, "scored_windows": 20}
    settings["model"]["name"], settings["representation"]["name"] = "linear", "mel-512-128"
    settings["frontend"]["accuracy"] = "fast"
    settings["runs"] = str(tmp_path / "runs")
    return settings


@pytest.fixture
def linear_256() -> dict:
    with initialize_config_dir(str(CONF), version_base=None):
        numbers = compose("config", overrides=["representation=linear-256"]).representation
    return OmegaConf.to_container(numbers) | {"name": "linear-256"}


def quiet() -> Console:
    return Console(quiet=True)


def run(settings: dict, console: Console, title: str) -> dict:
    """A run by a process that has claimed it."""
    with claim(folder(settings) / results.LOCK) as lock:
        return sweep.run.run(settings, console, title, lock)


def folder(settings) -> Path:
    return results.run_folder(settings)


def weights(settings) -> dict:
    return torch.load(folder(settings) / results.MODEL, weights_only=True)["state_dict"]


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


def test_the_output_bias_starts_at_the_logit_of_each_notes_share(root):
    train = data.Recordings(data.read_split(root, "train"))
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


@pytest.mark.parametrize("stopped_at, trained_from", [(20, None), (40, None), (20, 34), (40, 34)])
@pytest.mark.parametrize("device", DEVICES)
def test_an_interrupted_run_goes_on_and_ends_with_the_same_weights(
    device, settings, tmp_path, monkeypatch, stopped_at, trained_from
):
    settings["device"] = device
    settings["protocol"] |= {"steps": 55, "checkpoint_every": 20}  # on CUDA: groups of 10, the last one short
    if trained_from:
        settings["frontend"]["trainable"], settings["protocol"]["fixed_steps"] = "bank", trained_from
    whole = run({**settings, "runs": str(tmp_path / "whole")}, quiet(), "")
    expected = weights({**settings, "runs": str(tmp_path / "whole")})

    def dies(self, trainer, module, outputs, batch, batch_idx):
        if module.step > stopped_at:
            raise RuntimeError("the power went")
        kept(self, trainer, module, outputs, batch, batch_idx)

    kept = sweep.checkpoints.Checkpoint.on_train_batch_end
    with monkeypatch.context() as patch:
        patch.setattr(sweep.checkpoints.Checkpoint, "on_train_batch_end", dies)
        with pytest.raises(RuntimeError, match="the power went"):
            run(settings, quiet(), "")
    assert results.read_result(folder(settings)) is None

    resumed = run(settings, quiet(), "")
    assert resumed["resumed_from"] == stopped_at
    assert resumed["scores"] == whole["scores"]
    for key, value in weights(settings).items():
        assert torch.equal(value, expected[key]), key


def test_a_run_that_failed_in_scoring_trains_no_step_again(settings, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(sweep.run, "score_recordings", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            run(settings, quiet(), "")
    result = run(settings, quiet(), "")
    assert result["resumed_from"] == 6
    assert not (folder(settings) / results.CHECKPOINT).exists()


def test_a_checkpoint_of_another_configuration_is_refused(settings, monkeypatch):
    settings = copy.deepcopy(settings)
    with monkeypatch.context() as patch:
        patch.setattr(sweep.run, "score_recordings", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            run(settings, quiet(), "")
    settings["protocol"]["learning_rate"] = 0.5
    with pytest.raises(results.ConfigurationChanged, match=r"protocol\.learning_rate: 0\.06 -> 0\.5"):
        run(settings, quiet(), "")


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def change_a_bit(content: bytes) -> bytes:
    """One of a weight, in the middle of the file."""
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


@pytest.mark.parametrize("name", [results.CHECKPOINT, results.MODEL])
@pytest.mark.parametrize("damage", [cut, change_a_bit, lambda content: b"", lambda content: bytes(len(content))])
def test_a_damaged_checkpoint_is_set_aside_and_the_run_ends_as_if_there_were_none(
    settings, tmp_path, monkeypatch, caplog, name, damage
):
    whole = run({**settings, "runs": str(tmp_path / "whole")}, quiet(), "")

    def dies(*_):
        raise RuntimeError("the power went")

    kept = sweep.checkpoints.Checkpoint.on_train_batch_end
    with monkeypatch.context() as patch:
        if name == results.MODEL:
            patch.setattr(sweep.run, "score_recordings", dies)
        else:
            patch.setattr(
                sweep.checkpoints.Checkpoint,
                "on_train_batch_end",
                lambda self, trainer, module, *rest: (dies if module.step > 4 else kept)(self, trainer, module, *rest),
            )
        with pytest.raises(RuntimeError, match="the power went"):
            run(settings, quiet(), "")
    path = folder(settings) / name
    path.write_bytes(damage(path.read_bytes()))
    result = run(settings, quiet(), "")
    # A model is trained anew from the checkpoint, a checkpoint from nothing.
    assert result["resumed_from"] == {results.MODEL: 4, results.CHECKPOINT: 0}[name]
    assert result["recordings"] == whole["recordings"]
    assert f"{path}: damaged (" in caplog.text and f"{name}.damaged" in caplog.text
    assert {file.name for file in folder(settings).glob("*.ckpt*")} == {results.MODEL, f"{name}.damaged"}


def test_nothing_is_written_into_a_folder_that_another_process_took(settings):
    with claim(folder(settings) / results.LOCK) as lock:
        lock.path.write_text("node7~0badcafe~12~345~6789abcd")
        with pytest.raises(sweep.locks.Lost):
            sweep.run.run(settings, quiet(), "", lock)
    assert not list(folder(settings).glob("*.ckpt")) and results.read_result(folder(settings)) is None


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
def test_what_a_model_that_knows_nothing_loses(root, settings, output_bias):
    train = data.Recordings(data.read_split(root, "train"))
    share = train.note_share().numpy()
    said = np.clip(share, 1e-4, 0.5) if output_bias else np.full(128, 0.5)
    expected = 64 * -(share * np.log(said) + (1 - share) * np.log(1 - said)).mean()
    assert ignorant_loss(train, settings["protocol"] | {"output_bias": output_bias}) == pytest.approx(
        expected, rel=1e-5
    )


@pytest.mark.parametrize("at", [4, 6])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_at_the_end_of_a_step_and_nothing_is_lost(settings, monkeypatch, at, number, tmp_path):
    """Also in the last step, after which the model is kept in place of a checkpoint."""
    whole = run({**settings, "runs": str(tmp_path / "whole")}, quiet(), "")

    def signalled(self, trainer, module, outputs, batch, batch_idx):
        if module.step == at:
            os.kill(os.getpid(), number)
        kept(self, trainer, module, outputs, batch, batch_idx)

    kept = sweep.checkpoints.Checkpoint.on_train_batch_end
    with monkeypatch.context() as patch:
        patch.setattr(sweep.checkpoints.Checkpoint, "on_train_batch_end", signalled)
        with pytest.raises(KeyboardInterrupt) as stop:
            run(settings, quiet(), "")
    assert stop.value.args == (number,)
    resumed = run(settings, quiet(), "")
    assert resumed["resumed_from"] == at and resumed["scores"] == whole["scores"]
    assert (resumed["windows_per_second"] is None) == (at == 6)


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


def test_overwrite_deletes_nothing_before_the_new_run_can_start(settings):
    run(settings, quiet(), "")
    representation = settings["representation"] | {"f_min": 7000.0}
    with pytest.raises(ValueError, match="f_min 7000 Hz >= f_max 6000 Hz"):
        run(settings | {"overwrite": True, "representation": representation}, quiet(), "")
    assert (folder(settings) / results.RESULT).exists()
    (folder(settings) / "curves" / "old").touch()
    run(settings | {"overwrite": True}, quiet(), "")
    assert not (folder(settings) / "curves" / "old").exists()


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

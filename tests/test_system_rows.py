"""What all rows of published systems have in common: shapes, gradients, silence, independent clips, and precision."""

import numpy as np
import pytest
import torch
from conftest import SYSTEMS, WINDOW, each, gpu, synthesised_music

from sweep import row
from sweep.config.conf import ROWS, settings

every = each(SYSTEMS)


def clips(representation, dtype=torch.float32) -> torch.Tensor:
    """Three windows at the row's rate: music, quiet noise, and music at half its level; samples are not resampled."""
    samples = representation.samples(WINDOW)
    music = torch.from_numpy(synthesised_music()[:samples])
    noise = 1e-3 * torch.randn(samples, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return torch.stack([music, noise, music / 2]).to(dtype)


@every
def test_shape_times_and_frequencies(representation):
    r, x = representation, clips(representation)
    samples = x.shape[-1]
    front_end = r.front_end(samples, accuracy="fast")
    y = front_end(x)
    assert y.shape == (3, r.n_channels, r.bins, r.n_frames(samples)) and y.dtype == torch.float32
    assert (front_end.n_channels, front_end.n_bins) == (r.n_channels, r.bins)
    times = r.times(samples)
    assert times.shape == (y.shape[-1],) and (np.diff(times * r.sample_rate).round(6) == r.hop_length).all()
    assert 0 <= times[0] and times[-1] <= (samples + r.hop_length + r.context // 2) / r.sample_rate
    assert (
        abs(times[front_end.centre(samples)] - samples / 2 / r.sample_rate) <= r.hop_length / r.sample_rate / 2 + 1e-9
    )
    assert r.frequencies.shape == (r.bins,) and (r.frequencies > 0).all() and (r.frequencies <= r.sample_rate).all()
    assert front_end.multiply_adds(samples) > 0 and front_end.engine_on("cpu")


@every
def test_clips_do_not_meet(representation):
    x = clips(representation)
    front_end = representation.front_end(x.shape[-1], accuracy="fast")
    alone = torch.cat([front_end(clip[None]) for clip in x])
    torch.testing.assert_close(front_end(x), alone, rtol=1e-4, atol=1e-4 * float(alone.abs().max()))


@every
def test_float32_is_near_float64(representation):
    """Sums in float64 are the definition; the accuracy of a sweep's front-ends moves few cells by more than 1 %."""
    x = clips(representation, torch.float64)[:1]
    exact = representation.front_end(x.shape[-1], accuracy="exact")(x)
    assert exact.dtype == torch.float64
    low, high = np.percentile(exact, [0.1, 99.9])
    for accuracy, least in (("exact", 0.999), ("fast", 0.985)):
        error = (representation.front_end(x.shape[-1], accuracy=accuracy)(x.float()).double() - exact).abs()
        assert float((error <= 0.01 * (high - low)).double().mean()) >= least, accuracy


@every
def test_silence_and_gradients(representation):
    x = clips(representation)
    x[1] = 0
    x.requires_grad_()
    front_end = representation.front_end(x.shape[-1], accuracy="fast")
    y = front_end(x)
    assert y.isfinite().all()
    (gradient,) = torch.autograd.grad(y.sum(), x)
    assert gradient.isfinite().all() and gradient[0].any()
    torch.testing.assert_close(front_end(x.detach()), y.detach(), rtol=1e-3, atol=1e-3)


@every
@pytest.mark.parametrize("accuracy", [pytest.param(accuracy, marks=gpu) for accuracy in ("high", "fast")])
def test_on_cuda_it_is_what_it_is_on_a_cpu_in_a_graph_too(representation, accuracy):
    x = clips(representation)
    exact = representation.front_end(x.shape[-1], accuracy="exact")(x.double())
    front_end, on_gpu = representation.front_end(x.shape[-1], accuracy=accuracy), x.cuda()
    low, high = np.percentile(exact, [0.1, 99.9])
    made = front_end(on_gpu)
    error = (made.cpu().double() - exact).abs()
    assert float((error <= 0.01 * (high - low)).double().mean()) >= (0.985 if accuracy == "fast" else 0.999)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        again = front_end(on_gpu)
    on_gpu.copy_(x.flip(0))
    graph.replay()
    torch.testing.assert_close(again, made.flip(0), rtol=1e-3, atol=1e-3 * float(made.abs().max()))


@every
def test_leading_dimensions(representation):
    x = clips(representation)[:, :3000].reshape(3, 1, 3000)
    y = representation.features(x)
    channels = (representation.n_channels,) * (representation.n_channels > 1)
    assert y.shape == (3, 1, *channels, representation.bins, representation.n_frames(3000))
    assert representation.features(x[0, 0]).shape == y.shape[2:]


COMPILED = ("onsets-frames", "mt3", "yptf", "transkun", "madmom-rnn", "aria-amt")


@each([r for r in SYSTEMS if r.name in COMPILED], long=COMPILED[3:])
def test_under_torch_compile(representation):
    x = clips(representation)
    front_end = representation.front_end(x.shape[-1])
    compiled = torch.compile(front_end, backend="aot_eager")  # tables are made outside its graphs
    torch.testing.assert_close(compiled(x), front_end(x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name, rows", [("deep-salience", (0, 1)), ("transkun", (0, 3)), ("basic-pitch", (1, 2))])
def test_channels_differ(name, rows):
    r = row(name)
    y = r.features(clips(r))
    assert not torch.allclose(y[0, rows[0]], y[0, rows[1]])


def test_a_window_that_is_too_short_to_reflect_is_padded_with_zeros():
    hppnet, x = row("hppnet"), clips(row("hppnet"))
    zeros = row("hppnet", pad_mode="constant").front_end(x.shape[-1])(x)
    assert torch.equal(hppnet.front_end(x.shape[-1])(x), zeros)
    assert "Padded with zeros, since a window is too short to reflect" in hppnet.remarks(x.shape[-1])
    assert not any("Padded" in said for said in hppnet.remarks(100_000))
    with pytest.raises(ValueError, match="too short for reflect padding"):
        hppnet.transform()(x)


@pytest.mark.parametrize("name, changes", [("d3rm", {}), ("transkun", {}), ("kong", {"parts": [{}]})])
def test_differences_of_parts_that_are_channels(name, changes):
    stacked = row(name, stack={"name": "differences", "lags": [2]}, **changes)
    y = stacked.features(clips(stacked)[:1])[0]
    plain = row(name, stack={"name": "none"}, **changes).features(clips(stacked)[:1])[0]
    plain = plain.reshape(-1, *plain.shape[-2:])
    torch.testing.assert_close(y[: len(plain)], plain)
    torch.testing.assert_close(y[len(plain) :, :, 2:], plain[:, :, 2:] - plain[:, :, :-2])


CASCADED = [("cqt-12", {"pad_mode": "reflect", "algorithm": it}, n) for it in ("librosa", "1992") for n in (6800, 8099)]


@pytest.mark.parametrize(
    "name, changes, around",
    [
        ("hppnet", {}, 20_587),
        ("basic-pitch", {}, 20_700),
        ("basic-pitch", {}, 41_245),
        ("cqt-12", {"pad_mode": "reflect"}, 6_743),
        *CASCADED,
        ("kong", {}, 1024),
    ],
)
def test_clips_about_as_long_as_the_padding(name, changes, around):
    """Reflected, or padded with zeros: there is no length in between that is neither."""
    r = row(name, **changes)
    for samples in (around - 1, around, around + 1):
        assert r.features(torch.randn(samples)).isfinite().all()


def test_waveforms_that_are_none():
    mt3 = row("mt3")
    for wrong in (torch.zeros(0), torch.zeros(2, 0), torch.tensor(1.0), torch.zeros(4, dtype=torch.complex64)):
        with pytest.raises(ValueError, match="needs real samples"):
            mt3.features(wrong)
    with pytest.raises(TypeError, match=r"needs a torch.Tensor; choose torch.as_tensor\(waveform\)"):
        mt3.features(np.zeros(100))
    whole = torch.randint(-9, 9, (3000,), dtype=torch.int16)
    torch.testing.assert_close(row("cqt-12").features(whole), row("cqt-12").features(whole.float()))


def test_rows_say_what_their_extremes_span():
    said = [r.name for r in SYSTEMS if any("Extremes" in remark for remark in r.remarks(6000))]
    assert {"hppnet", "onsets-velocities", "ymt3", "yptf", "aria-amt", "basic-pitch", "diffroll"} <= set(said)
    assert not {"onsets-frames", "kong", "hft", "mt3", "transkun", "tabcnn", "omnizart"} & set(said)


@every
def test_each_file_names_the_system_and_where_its_numbers_come_from(representation):
    lines = (ROWS / f"{representation.name}.yaml").read_text().splitlines()
    assert lines[0].startswith("# ") and lines[0].endswith(".") and lines[1].startswith("# Numbers: ")


def test_a_file_over_others(tmp_path):
    """A step that it names replaces the one that it inherits; keys of the same one are merged."""
    (tmp_path / "mine.yaml").write_text(
        "defaults: [base/mel@_here_]\nn_fft: 1024\nlevel: {name: peak}\ncompression: {offset: 1e-6}\n"
    )
    found = settings(tmp_path / "mine.yaml")
    assert found["level"] == {"name": "peak"} and found["compression"] == {"name": "log", "offset": 1e-6}
    assert found["n_fft"] == 1024 and found["f_max"] == 6000.0
    (tmp_path / "theirs.yaml").write_text("defaults: [mt3@_here_]\ncompression: {name: db, of: power}\n")
    assert settings(tmp_path / "theirs.yaml")["compression"] == {"name": "db", "of": "power"}
    (tmp_path / "wrong.yaml").write_text("defaults: [base/melt@_here_]\n")
    with pytest.raises(ValueError, match="base/melt@_here_: no such file; correct its defaults"):
        settings(tmp_path / "wrong.yaml")


def test_some_keys_of_a_rows_own_step():
    assert row("mt3", compression={"zero": 1e-3}).compression.zero == 1e-3
    assert row("ymt3", compression={"offset": 1e-3}).compression.record()["offset"] == 1e-3


def test_clips_of_other_dimensions_are_for_the_row():
    with pytest.raises(ValueError, match=r"needs \(batch, samples\); row.features takes others"):
        row("mt3").front_end()(torch.zeros(100))


def test_a_row_by_a_wrong_name():
    with pytest.raises(ValueError, match=r"^row 'mt4': there is none; did you mean mt3\?$"):
        row("mt4")
    with pytest.raises(ValueError, match="see `sweep list`"):
        row("a spectrogram")
    assert row("cqt-48", hop_length=256).hop_length == 256
    with pytest.raises(ValueError, match="leave name out"):
        row("cqt-48", name="mine")

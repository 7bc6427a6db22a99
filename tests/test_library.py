"""A front-end in other people's programs: what docs/library.md says runs, and what it says of export is so."""

import re
import warnings

import numpy as np
import pytest
import torch
from conftest import ROOT

from sweep.transforms import (
    CFP,
    CQT,
    LEAF,
    MFCC,
    STFT,
    VQT,
    FilterBank,
    Gammatone,
    LogBandSpectrogram,
    MelSpectrogram,
    SincNet,
)

SAMPLES = 6000
FRONT_ENDS = {
    "grid": (STFT, {"n_fft": 512}),
    "log, banded": (STFT, {"n_fft": 1024, "scale": "log", "n_bins": 40}),
    "log, direct": (STFT, {"n_fft": 512, "scale": "log", "n_bins": 40, "engine": "direct"}),
    "grid, part": (STFT, {"n_fft": 512, "first_bin": 1, "win_length": 400, "window": ("kaiser", 9.0)}),
    "mel": (MelSpectrogram, {"n_fft": 512, "n_mels": 32}),
    "log bands": (LogBandSpectrogram, {"n_fft": 512, "corners": "fft_bins", "normalized": "window"}),
    "mel, lower rate": (MelSpectrogram, {"n_fft": 2048, "n_mels": 32, "f_max": 4000.0, "accuracy": "fast"}),
    "cqt, mixed": (CQT, {"f_min": 110.0, "n_bins": 60}),
    "cqt, direct": (CQT, {"f_min": 440.0, "n_bins": 24, "engine": "direct"}),
    **{f"cqt, {name}": (CQT, {"f_min": 220.0, "n_bins": 24, "algorithm": name}) for name in ("1992", "1992v2")},
    **{f"cqt, {name}": (CQT, {"f_min": 220.0, "n_bins": 24, "algorithm": name}) for name in ("2010", "2010v2")},
    **{f"cqt, {name}": (CQT, {"f_min": 220.0, "n_bins": 24, "algorithm": name}) for name in ("librosa", "nnaudio")},
    "gammatone": (Gammatone, {"n_fft": 512, "n_bands": 32}),
    "mfcc": (MFCC, {"n_fft": 512, "n_mels": 32}),
    "cfp": (CFP, {"n_fft": 4096, "win_length": 2047, "hop_length": 512, "f_min": 100.0, "f_max": 2000.0}),
    "vqt": (VQT, {"f_min": 220.0, "n_bins": 24, "engine": "direct"}),
    "bank": (FilterBank, {"frequencies": [700.0], "taps": [np.hanning(60)]}),
    "leaf": (LEAF, {"n_filters": 20}),
    "sincnet": (SincNet, {"n_filters": 20}),
    "leaf, trainable": (LEAF, {"n_filters": 20, "trainable": True}),
    "mfcc, trainable": (MFCC, {"n_fft": 256, "n_mels": 32, "lifter": 22.0, "trainable": True}),
    "trainable": (CQT, {"f_min": 440.0, "n_bins": 24, "trainable": True}),
}
# One without tables is traced a second time, without the sign that it is exported: the exporter's own error stands.
LEARNED = dict.fromkeys(("leaf", "sincnet"), "choose torch.export") | {"leaf, trainable": "Failed to convert"}
NOT_IN_ONNX = {"log, banded", "mel, lower rate", "cqt, mixed", *LEARNED}
each = pytest.mark.parametrize("name", FRONT_ENDS)


@pytest.fixture(scope="module")
def waveform() -> torch.Tensor:
    return torch.randn(2, SAMPLES, generator=torch.Generator().manual_seed(0))


def make(name: str) -> torch.nn.Module:
    front_end, settings = FRONT_ENDS[name]
    return front_end(**settings).eval()


def test_the_page_runs(tmp_path, monkeypatch):
    """All its Python, one block after the other, as a reader would."""
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(
        r"^(<!-- not run: .*\n)?```python\n(.*?)^```$", (ROOT / "docs/library.md").read_text(), re.M | re.S
    )
    assert len(blocks) == 8 and sum(bool(reason) for reason, _ in blocks) == 1
    names = {}
    for reason, text in blocks:
        if not reason:
            exec(compile(text, "docs/library.md", "exec"), names)  # noqa: S102
    assert all(torch.isfinite(parameter).all() for parameter in names["tagger"].parameters())
    assert not list(tmp_path.iterdir())


@each
def test_exported_afresh_it_is_the_same_and_goes_on_working(name, waveform):
    """Tracing makes tables too, and they must hold numbers: those of a traced one were once empty shells."""
    front_end = make(name)
    exported = torch.export.export(front_end, (waveform,)).module()
    expected = make(name)(waveform)
    assert torch.equal(front_end(waveform), expected)
    with torch.no_grad():
        torch.testing.assert_close(exported(waveform), expected, rtol=0, atol=1e-6 * float(expected.max()))
        with pytest.raises((RuntimeError, AssertionError)):  # it is for one length
            exported(waveform[:, :4000])


@each
def test_in_one_graph(name, waveform):
    """Engines and algorithms of every kind; test_ways.py tries numbers of clips and samples that were not known."""
    torch._dynamo.reset()
    compiled = torch.compile(make(name), backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(waveform), make(name)(waveform))


@each
def test_onnx_computes_the_same_or_the_error_names_the_remedy(name, waveform):
    pytest.importorskip("onnxscript")
    front_end = make(name)

    def export():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.onnx.export(front_end, (waveform,), dynamo=True, verbose=False)

    if name in NOT_IN_ONNX:
        with pytest.raises(torch.onnx.OnnxExporterError, match=LEARNED.get(name, 'choose engine="direct"')):
            export()
        return
    from onnx.reference import ReferenceEvaluator  # NumPy; onnxruntime writes files and reports home when imported

    session = ReferenceEvaluator(export().model_proto)
    (actual,) = session.run(None, {session.input_names[0]: waveform.numpy()})
    expected = front_end(waveform).detach()
    # 3e-7 measured.
    assert (torch.from_numpy(actual) - expected).norm() < 2e-6 * expected.norm()

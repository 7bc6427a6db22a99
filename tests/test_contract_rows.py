"""A row whose front-end does not give what the row says is told so in one line, before a run trains on it."""

import dataclasses

import numpy as np
import pytest
import torch
from conftest import FOUR, SYSTEMS, each
from definition import definition
from torch import nn

from sweep import row
from sweep.representations.compressions import Uncompressed
from sweep.representations.contract import check_front_end
from sweep.representations.families.mel import Mel
from sweep.representations.front_end import FrontEnd


@dataclasses.dataclass(frozen=True, kw_only=True)
class Wrong(Mel):
    """A family of another hand that is wrong in one way, `fault`."""

    def definition(self, audio):
        return definition(dataclasses.replace(self, family="mel"), audio) * (1.01 if self.name == "definition" else 1)

    def front_end(self, samples=None, **options):
        return WrongFrontEnd(self, samples, **options)


class WrongFrontEnd(FrontEnd):
    def forward(self, audio):
        fault, y = self.row.name, super().forward(audio)
        if fault == "raises":
            raise KeyError("window")
        if fault == "silence" and not audio.any():
            return y / 0
        return {"frames": y[..., :-1], "channels": y[:, 0], "whole": y.long(), "nan": y * torch.nan}.get(fault, y)


def wrong(name: str):
    return Wrong.from_tree({**row("mel-512-128").record(), "name": name, "family": "wrong"})


WRONG_FAMILIES = {
    "definition": "front-end and definition differ by 0.0099, relative L2, at most 0.001; correct one of them",
    "frames": r"features of 16384 samples have shape \(2, 1, 128, 32\): need \(2, 1, 128, 33\), .*",
    "channels": r"features of 16384 samples have shape \(2, 128, 33\): need \(2, 1, 128, 33\), .*",
    "whole": "features are Tensor: need a tensor of the clips' floating type",
    "nan": "features of noise are not finite, 8448 of 8448; divide by no 0",
    "silence": "features of silence are not finite, 8448 of 8448; divide by no 0",
    "raises": r"the front-end of \(2, 16384\) raises KeyError: 'window'",
}


@pytest.mark.parametrize("name", WRONG_FAMILIES)
def test_a_wrong_family_is_told_in_a_line(name):
    with pytest.raises(ValueError, match=rf"^family wrong, row {name}: {WRONG_FAMILIES[name]}$"):
        check_front_end(wrong(name), 16_384)


def test_frequencies_and_times():
    for key, value, line in (
        ("frequencies", np.arange(3.0), r"frequencies float64 \(3,\): need a float64 array in Hz, \(128,\), .*"),
        ("frequencies", np.full(128, np.inf), "frequencies inf: need to be finite"),
        ("frequencies", [55.0], r"frequencies \[55.0\]: need .*"),
        ("times", lambda samples: np.arange(32.0), r"times have shape \(32,\) and n_frames\(16384\) is 33; let .*"),
    ):
        made = wrong("right")
        object.__setattr__(made, key, value)
        with pytest.raises(ValueError, match=f"^family wrong, row right: {line}$"):
            check_front_end(made, 16_384)


def test_a_compression_that_changes_the_shape():
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Halved(Uncompressed):
        def __call__(self, x, frame_rate):
            return x[:, :, ::2]

    made = dataclasses.replace(row("cqt-12"), compression=Halved(name="halved"))
    with pytest.raises(ValueError, match=r"^family cqt, row cqt-12: features .* \(2, 1, 42, 33\): need"):
        check_front_end(made, 16_384)


@each([*FOUR[2:], *(r for r in SYSTEMS if r.name in ("omnizart", "transkun", "madmom-rnn"))])
def test_rows_that_pass(representation):
    check_front_end(representation, representation.samples(16_384))


@pytest.mark.parametrize("keys", [{}, {"level": {"name": "peak"}, "stack": {"name": "differences", "lags": [1]}},
                                  {"parts": [{"n_fft": 1024}, {}]}])  # fmt: skip
def test_a_definition_that_agrees(keys):
    """The definition of the tests, which has nothing from the package, at a level of the clip, with stack and parts."""
    record = {**row("mel-512-128").record(), "name": "right", "family": "wrong", **keys}
    check_front_end(Wrong.from_tree(record), 16_384)


def test_a_definition_that_cannot_be_compared():
    class Whole(Wrong):
        def definition(self, audio):
            return super().definition(audio)[..., :-1]

    class Alone(Wrong):
        def front_end(self, samples=None, **options):
            return nn.Sequential(super().front_end(samples, **options))  # a module, and no more

    record = {**row("mel-512-128").record(), "name": "right", "family": "wrong"}
    for cls, line in (
        (Whole, r"definition has shape \(2, 1, 128, 32\) and the front-end \(2, 1, 128, 33\); correct one of them"),
        (Alone, "has a definition, but its front-end has no method spectrogram to compare it with; add it"),
    ):
        with pytest.raises(ValueError, match=f"^family wrong, row right: {line}$"):
            check_front_end(cls.from_tree(record), 16_384)

"""check_family and check_compression pass those of the package, and say in a line what is wrong with others."""

import dataclasses

import numpy as np
import pytest
import torch
from conftest import FOUR, SYSTEMS, each
from definition import definition

from sweep import row
from sweep.registry import compressions, families
from sweep.representations.compressions import Compression
from sweep.representations.families.mel import Mel
from sweep.representations.front_end import FrontEnd
from sweep.testing import check_compression, check_family

FAMILIES = {"linear": "linear-256", "log": "log-256", "mel": "mel-512-128", "log_bands": "madmom-cnn"}
FAMILIES |= {"gammatone": "gammatone-64", "leaf": "leaf", "sincnet": "sincnet"}
FAMILIES |= {"cqt": row("cqt-12", n_bins=36, f_min=440.0), "cfp": row("omnizart"), "vqt": row("vqt-12", n_bins=36)}
COMPRESSIONS = {"log": {"floor": 1e-5}, "db": {"of": "power"}}


def test_our_families():
    assert sorted(FAMILIES) == families.names()
    for one in FAMILIES.values():
        check_family(one)


@pytest.mark.long
@each([*FOUR, *SYSTEMS])
def test_our_rows(representation):
    check_family(representation)


# Families of another hand

NUMBERS = {"n_fft": 2048, "n_mels": 64, "f_min": 50.0, "f_max": 6000.0, "mel_scale": "slaney", "norm": "slaney"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Mine(Mel):
    """A family of another hand, right but for what its subclasses do."""

    FAULT = staticmethod(lambda spectrogram, audio: spectrogram)

    def definition(self, audio):
        return definition(dataclasses.replace(self, family="mel"), audio)

    def front_end(self, samples=None, **options):
        return MyFrontEnd(self, samples, **options)


class MyFrontEnd(FrontEnd):
    def forward(self, audio):
        return (self.row.FAULT(self._joined(self.row.level(audio), None), audio) + 1e-5).log()

    def spectrogram(self, audio):
        return self.row.FAULT(super().spectrogram(audio), audio)


class Defined(Mine):
    def definition(self, audio):
        return 1.1 * super().definition(audio)


class Shorter(Mine):
    FAULT = staticmethod(lambda y, audio: y[..., 1:])


class Undefined(Mine):
    definition = property()  # hasattr is false


class Late(Undefined):
    def times(self, samples):
        return super().times(samples) + 2 * self.hop_length / self.sample_rate


class Slow(Undefined):
    def times(self, samples):
        return super().times(samples) * 0.9


class Early(Undefined):
    def times(self, samples):
        return super().times(samples) - 0.1


class Meets(Undefined):
    FAULT = staticmethod(lambda y, audio: y + y.mean(0))


class Root(Undefined):
    FAULT = staticmethod(lambda y, audio: y.sqrt())


class Detached(Undefined):
    FAULT = staticmethod(lambda y, audio: y.detach())


class Whole(Undefined):
    FAULT = staticmethod(lambda y, audio: y / (1e-9 + y.amax((1, 2, 3), keepdim=True)) * audio.shape[1])


class Single(Undefined):
    FAULT = staticmethod(lambda y, audio: y.float())


class Coarse(Undefined):
    FAULT = staticmethod(lambda y, audio: y + 1e6 - 1e6)


WRONG_FAMILIES = {
    Defined: "front-end and definition differ by 0.091, relative L2, at most 0.001; correct one of them",
    Shorter: r"features of 16384 samples have shape \(2, 1, 64, 32\): need \(2, 1, 64, 33\), .*",
    Late: r"a click at 0\.\d+ s is strongest in the frame of 0\.\d+ s; let times and frames agree, or choose .*",
    Slow: r"times are 460.8 to 460.8 samples apart, hop_length is 512; let them agree",
    Early: r"times of 16384 samples: -0.1 to 0.271519 s; count from the first sample",
    Meets: r"features of a clip differ by [\d.]+ with the other clips of its batch; keep clips apart",
    Root: "gradients of silence are not finite; keep 0 from roots, divisions and logarithms",
    Detached: r"features have no gradient by the audio; use PyTorch throughout, and no \.detach\(\)",
    Whole: r"frames away from the ends differ by [\d.]+ in a longer clip; let a frame depend on the samples that .*",
    Coarse: r"float32 differs by [\d.]+ from float64; avoid differences of large numbers",
    Single: "clips of torch.float64 give features of torch.float32; make tables in the clips' type",
}


@pytest.mark.parametrize("cls", WRONG_FAMILIES, ids=lambda cls: cls.__name__)
def test_a_wrong_family_is_told_in_a_line(cls):
    name = cls.__name__
    with pytest.raises(ValueError, match=rf"^family {name}, row {name}: {WRONG_FAMILIES[cls]}$") as told:
        check_family(cls, power=2.0, **NUMBERS)
    assert "\n" not in str(told.value)


def test_a_right_family_of_another_hand():
    check_family(Mine, power=2.0, **NUMBERS)
    check_family(Mine, power=1.0, level={"name": "rms"}, sample_rate=16_000, **NUMBERS)
    check_family(Undefined, power=1.0, framing="from_start", pad_mode="constant", **NUMBERS)
    check_family(row("mel-512-128"), n_mels=64)
    check_family("mel-512-128", framing="centred_inside", n_mels=64)
    with pytest.raises(ValueError, match="^family Mine: n_fft: missing; give it a value$"):
        check_family(Mine)


# Compressions


@pytest.mark.parametrize("name", compressions.names())
def test_our_compressions(name):
    check_compression(compressions[name], **COMPRESSIONS.get(name, {}))


def test_a_compressions_keys():
    check_compression(compressions["log"], offset=1e-5)
    check_compression(compressions["db"], of="magnitude", floor=1e-5, reference="max", range=80.0)
    with pytest.raises(ValueError, match="logarithm of 0 is infinite"):
        check_compression(compressions["log"])


@dataclasses.dataclass(frozen=True, kw_only=True)
class Shape(Compression):
    def __call__(self, x, frame_rate):
        return x[:, :, ::2]


class Type(Shape):
    def __call__(self, x, frame_rate):
        return x.float()


class Sqrt(Shape):
    def __call__(self, x, frame_rate):
        return x.sqrt()


class Log(Shape):
    def __call__(self, x, frame_rate):
        return x.log()


class Exp(Shape):
    def __call__(self, x, frame_rate):
        return x.exp()


class Cancelled(Shape):
    def __call__(self, x, frame_rate):
        return (x + 1e3).log() - np.log(1e3) + (x + 1e9) - 1e9


class Fused(Shape):
    fused_offset = 1e-3

    def __call__(self, x, frame_rate):
        return (x + 1e-5).log()


class Batch(Shape):
    per_clip = True

    def __call__(self, x, frame_rate):
        return x / (1e-9 + x.amax())


class Clip(Shape):
    def __call__(self, x, frame_rate):
        return x / (1e-9 + x.amax((1, 2, 3), keepdim=True))


class Bins(Shape):
    def __call__(self, x, frame_rate):
        return x - x.mean(2, keepdim=True)


class Channels(Shape):
    def __call__(self, x, frame_rate):
        return x + x.flip(1)


class Ahead(Shape):
    def __call__(self, x, frame_rate):
        return x + torch.cat([x[..., 1:], x[..., :1]], -1)


class Raises(Shape):
    def __call__(self, x):
        return x


WRONG_COMPRESSIONS = {
    Shape: r"makes \(2, 2, 3, 20\) torch.float64 of \(2, 2, 6, 20\) torch.float64; keep the shape and the type",
    Type: r"makes .* torch.float32 of .* torch.float64; keep the shape and the type",
    Sqrt: "its gradient is not finite in float64 for the value 0; mask such values, or add an offset",
    Log: "is not finite in float64 for the value 0; values go from 0 to .*, add an offset",
    Exp: "is not finite in float64 for the value .*",
    Cancelled: r"differs by .* between float32 and float64; avoid differences of large numbers",
    Fused: r"fused_offset 0.001: is for log\(x \+ offset\), from which it differs by .*; give None",
    Batch: "a value changes by .* with one of another clip; map each clip by itself",
    Clip: "a value changes by .* with one of another channel; let per_clip be true, it says false",
    Bins: "a value changes by .* with one of another bin; let per_clip be true, it says false",
    Channels: "a value changes by .* with one of another channel; let per_clip be true, it says false",
    Ahead: "a value changes by .* with one of another later frame; let per_clip be true, it says false",
    Raises: r"a call raises TypeError: .* takes 2 positional arguments but 3 were given",
}


@pytest.mark.parametrize("cls", WRONG_COMPRESSIONS, ids=lambda cls: cls.__name__)
def test_a_wrong_compression_is_told_in_a_line(cls):
    with pytest.raises(ValueError, match=rf"^compression {cls.__name__}: {WRONG_COMPRESSIONS[cls]}$"):
        check_compression(cls)

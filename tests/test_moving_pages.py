"""The pages for those who come from another library name each option of each class or function that they are about."""

import inspect
import re
from collections.abc import Callable

import pytest
from documented import DOCS

# By page: the module, and by section what it is about; names with a dot are methods.
CONSTANT_Q = ("CQT", "CQT1992", "CQT1992v2", "CQT2010", "CQT2010v2")
NNAUDIO = {
    "STFT": ("STFT", "STFT.forward"),
    "iSTFT": ("iSTFT", "iSTFT.forward", "STFT.inverse"),
    "MelSpectrogram": ("MelSpectrogram",),
    "MFCC": ("MFCC",),
    "Gammatonegram": ("Gammatonegram",),
    "CFP and Combined_Frequency_Periodicity": ("CFP", "Combined_Frequency_Periodicity"),
    "CQT": (*CONSTANT_Q, *(f"{name}.forward" for name in CONSTANT_Q)),
    "VQT": ("VQT", "VQT.forward"),
    "Griffin_Lim": ("Griffin_Lim",),
}
LIBROSA = {
    "librosa.stft": ("stft", "istft"),
    "librosa.feature.melspectrogram": ("feature.melspectrogram",),
    "librosa.feature.mfcc": ("feature.mfcc",),
    "librosa.power_to_db, amplitude_to_db and pcen": ("power_to_db", "amplitude_to_db", "pcen"),
    "librosa.cqt and librosa.vqt": ("cqt", "vqt"),
    "librosa.icqt": ("icqt",),
    "librosa.griffinlim": ("griffinlim",),
    "librosa.feature.inverse.mel_to_stft, mel_to_audio": (
        "feature.inverse.mel_to_stft",
        "feature.inverse.mel_to_audio",
    ),
}
TORCHAUDIO = {
    "Spectrogram": ("Spectrogram",),
    "MelSpectrogram": ("MelSpectrogram",),
    "AmplitudeToDB": ("AmplitudeToDB",),
    "MFCC": ("MFCC",),
    "The ways back": ("InverseSpectrogram", "InverseSpectrogram.forward", "GriffinLim", "InverseMelScale"),
}
LIBRARIES = {
    "nnAudio.features": ("nnaudio", NNAUDIO),
    "nnAudio2.features": ("nnaudio", NNAUDIO | {"iCQT": ("iCQT", "iCQT.forward")}),
    "librosa": ("librosa", LIBROSA),
    "torchaudio.transforms": ("torchaudio", TORCHAUDIO),
}
every = pytest.mark.parametrize("library", LIBRARIES)


def sections(page: str) -> dict[str, str]:
    """By heading, the code in the first column of its tables."""
    _, *parts = (DOCS / "moving" / f"{page}.md").read_text().split("\n## ")
    found = {}
    for part in parts:
        heading, _, text = part.partition("\n")
        cells = [line.split("|")[1] for line in text.splitlines() if line.startswith("|")]
        found[heading] = " ".join(code for cell in cells for code in re.findall("`([^`]+)`", cell))
    return found


def parameters(it: Callable) -> list[str]:
    """Its options, without what a function or method is called with, a waveform or spectrum, and without **kwargs."""
    signature = inspect.signature(it)
    names = [name for name, one in signature.parameters.items() if one.kind != inspect.Parameter.VAR_KEYWORD]
    return names if inspect.isclass(it) else [name for name in names if name != "self"][1:]


@every
def test_a_page_names_every_option(library):
    module = pytest.importorskip(library)
    page, about = LIBRARIES[library]
    said, missing = sections(page), []
    for heading, names in about.items():
        for name in names:
            it = module
            for part in name.split("."):
                it = getattr(it, part)
            absent = [key for key in parameters(it) if not re.search(rf"\b{key}\b", said[heading])]
            missing += [f"{heading}: {name}({key})" for key in absent]
    assert not missing, "\n".join(missing)


@pytest.mark.parametrize("library", ["nnAudio.features", "nnAudio2.features"])
def test_no_class_of_nnaudio_is_left_out(library):
    module = pytest.importorskip(library)
    classes = {name for name, it in vars(module).items() if inspect.isclass(it)} - {"STFTBase"}  # of no use alone
    assert classes == {name for names in LIBRARIES[library][1].values() for name in names if "." not in name}

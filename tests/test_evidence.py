"""What a run keeps for its report, against mir_eval's counts, the front-end alone, and sums written out here."""

import numpy as np
import pytest
import torch
from conftest import ROWS
from small_sweep import run_small_sweep

from sweep.data.reading import read_split
from sweep.data.recordings import Recordings
from sweep.data.sources.demo import make_demo
from sweep.results.evidence import EXCERPT, count_notes, read_evidence, row_starts, weights_per_pitch
from sweep.results.result import read_result
from sweep.results.scoring import NOTE_SCORES
from sweep.training.transcriber import projection


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    """One run of linear-512 and what it was made from: its folder and the recordings."""
    folder = tmp_path_factory.mktemp("evidence")
    root = folder / "tiny"
    make_demo(root, train=2, test=2, seconds=5)
    below = run_small_sweep(root, folder / "runs", ["linear-512"], range(1))
    return below / "linear/linear-512/seed-0", root


def test_counts_by_pitch_and_polyphony_add_up_to_mir_evals(sweep):
    folder, _ = sweep
    evidence, recordings = read_evidence(folder), read_result(folder).recordings
    assert list(evidence["recordings"]) == list(recordings)
    # Counted by mir_eval: notes in the reference, in the estimate, right.
    expected = np.array([np.sum(scores["blocks"]["frames"], axis=0) for scores in recordings.values()])
    assert expected[0].min() > 0
    np.testing.assert_array_equal(evidence["pitches"].sum(1), expected)
    np.testing.assert_array_equal(evidence["polyphony"][..., 1:].sum(1), expected)
    assert (evidence["polyphony"][..., 0].sum(1) == 220).all()  # frames
    assert (evidence["polyphony"][..., 1] == evidence["polyphony"][..., 0] * np.arange(89)).all()


def test_counts_of_notes_by_block_add_up_to_the_scores_and_to_the_labels(sweep):
    folder, root = sweep
    for name, scores in read_result(folder).recordings.items():
        blocks = scores["blocks"]
        assert len(blocks["notes"]) == len(blocks["frames"])
        reference, estimate, matched, ended = np.sum(blocks["notes"], axis=0)
        assert reference == len((root / f"test_labels/{name}.csv").read_text().splitlines()) - 1
        for kind, right in (("note", matched), ("note_offset", ended)):
            assert scores[f"{kind}_f1"] == pytest.approx(2 * right / (reference + estimate), abs=1e-12)
            assert scores[f"{kind}_recall"] == pytest.approx(right / reference, abs=1e-12)
            assert scores[f"{kind}_precision"] == pytest.approx(right / max(estimate, 1), abs=1e-12)


def test_without_a_step_there_are_no_scores_of_notes_and_the_others_stay(sweep, tmp_path):
    folder, root = sweep
    none = run_small_sweep(root, tmp_path, ["linear-512"], range(1), protocol__note_step=None)
    found, expected = read_result(none / "linear/linear-512/seed-0"), read_result(folder)
    assert {found.scores.pop(name) for name in NOTE_SCORES} == {None}
    assert found.scores == {name: value for name, value in expected.scores.items() if name not in NOTE_SCORES}
    for name, scores in found.recordings.items():
        assert scores["blocks"] == {"frames": expected.recordings[name]["blocks"]["frames"]}


def test_the_excerpt_is_what_the_front_end_gives_at_each_windows_centre(sweep):
    folder, root = sweep
    evidence = read_evidence(folder)
    assert evidence["spectrogram"].shape == (129, EXCERPT) and evidence["roll"].shape == (88, EXCERPT)
    recordings = Recordings(read_split(root, "test"))
    samples = torch.from_numpy((evidence["times"] * 44100).round().astype(int))
    windows = recordings.audio(0, samples - 8192, 16384).double()
    windows = (windows / (windows.norm(dim=1, keepdim=True) + 1e-7)).float()
    frontend = ROWS["linear-512"].transform(engine="direct")
    centres = torch.log(frontend(windows)[:, :, 16] + 1e-5).numpy().T  # frame 16 of 33
    assert len(centres) == 257
    loudest = np.stack([centres[first : first + 2].max(0) for first in range(0, 257, 2)])  # two bins a row
    low, high = evidence["spectrogram_range"]
    levels = (loudest - low) / (high - low) * 255
    # Half a level of rounding, and what accuracy=fast, a relative error of 1e-3, makes of the quiet bins.
    assert np.abs(levels - evidence["spectrogram"]).mean() < 0.3
    reference = recordings.targets(0, samples)[:, 21:109].bool().numpy().T
    np.testing.assert_array_equal(evidence["roll"] & 1, reference)


@pytest.mark.parametrize("bins", [40, 600])
@pytest.mark.parametrize("width", [None, 64])
def test_weights_are_the_logits_answer_to_a_steady_sound(bins, width):
    weight = np.random.default_rng(0).normal(size=(128, (width or bins) * 33))
    matrix = None if width is None else projection(bins, width).double().numpy()
    kept = weights_per_pitch(weight, 33, matrix)
    starts = row_starts(bins)
    assert len(starts) == (40 if bins == 40 else 200)
    scale = kept["weights_scale"][0] / 127
    for row, first in list(enumerate(starts))[::37]:
        answers = []
        for bin_ in range(first, min(first + (1 if bins == 40 else 3), bins)):
            steady = np.zeros((bins, 33))
            steady[bin_] = 1
            features = steady if matrix is None else matrix @ steady
            answers.append(weight @ features.ravel())
        strongest = max((answer[60] for answer in answers), key=abs)
        assert kept["weights"][row, 60 - 21] * scale == pytest.approx(strongest, abs=0.51 * scale)


def test_a_note_counts_as_right_where_both_sides_have_it():
    reference, estimate = np.zeros((2, 3, 128), bool)
    reference[:, 60] = estimate[1:, 60] = estimate[0, 61] = True
    counts = count_notes(reference, estimate)
    assert counts["pitches"][39:41].tolist() == [[3, 2, 2], [0, 1, 0]]
    assert counts["polyphony"][1].tolist() == [3, 3, 3, 2]


def test_a_damaged_file_is_named_with_the_remedy(tmp_path):
    assert read_evidence(tmp_path) == {}
    (tmp_path / "evidence.npz").write_bytes(b"PK\x03\x04 broken")
    with pytest.raises(ValueError, match="evidence.npz: damaged.*overwrite=true"):
        read_evidence(tmp_path)

"""What the comparison table says of models that see segments."""

import pandas as pd
from test_report import printed, result

from sweep.results.result import write_result


def test_what_is_said_of_windows_is_said_of_segments_where_a_model_sees_those(tmp_path):
    for model in ("linear", "conv", "crnn"):
        config = {"model": {"name": model, "sees": "window" if model == "linear" else "segment"}}
        folder = tmp_path / f"demo/quick/{model}/cqt-12/seed-0"
        write_result(folder, result("cqt-12", model=model, config=config, windows_per_second=74.0))
    text = " ".join(printed(tmp_path).split())
    assert "For conv and crnn a window is a segment here, in windows/s too: " in text
    assert "confounded: the weights of linear grow with the number of bins." in text
    table = pd.read_csv(tmp_path / "demo/quick/table.csv")
    assert list(zip(table.model, table.sees, strict=True)) == [
        ("conv", "segment"),
        ("crnn", "segment"),
        ("linear", "window"),
    ]


def test_a_model_of_segments_is_not_confounded_with_the_number_of_bins(tmp_path):
    """With convolutions the number of weights hardly depends on it."""
    made = result("cqt-12", model="conv", config={"model": {"name": "conv", "sees": "segment"}})
    write_result(tmp_path / "demo/quick/conv/cqt-12/seed-0", made)
    text = " ".join(printed(tmp_path).split())
    assert "For conv a window is a segment here" in text
    assert "confounded" not in text

"""Tell how the rows score on the other sets of `data.test`: by group, and whether the ranking is the same there."""

from dataclasses import dataclass

import pandas as pd

from sweep.report.rankings import FEWEST_ROWS
from sweep.report.tau import kendall
from sweep.report.units import ROW
from sweep.results.metrics import METRICS
from sweep.results.table import Runs, keys_of_set, on_set, sets_of

_UNGROUPED = "without group"
_GROUP = "group_"  # before the name of a group, in the name of its column


@dataclass(frozen=True)
class ByGroup:
    """The scores of the rows on another set, by group of its test recordings.

    Attributes:
        name: name of the set.
        metric: the metric in words.
        table: one row a line: model, representation, variant; mean, that over all recordings and seeds; and for each
            group group_<name>, that over its recordings and seeds.
        recordings: number of recordings of each group.
    """

    name: str
    metric: str
    table: pd.DataFrame
    recordings: dict[str, int]

    @property
    def title(self) -> str:
        """Title of the table."""
        return f"{self.metric} on {self.name}, by group"

    @property
    def spare(self) -> list[str]:
        """Headings of the columns that a narrow console leaves out, first to last."""
        return []

    def cells(self) -> pd.DataFrame:
        """Format the printed columns as text; the best row of each group is set between **."""
        table = self.table
        names = table.representation + table.variant.map(lambda name: f"+{name}" * bool(name))
        cells = pd.DataFrame({"representation": names})
        if table.model.nunique() > 1:
            cells["model"] = table.model
        columns = {"mean": "mean"} | {f"{_GROUP}{group}": group for group in self.recordings}
        for column, heading in columns.items():
            shown = table[column].round(3)
            texts = ["" if pd.isna(value) else f"{value:.3f}" for value in shown]
            best = shown.max() if len(shown) > 1 else None
            marked = [f"**{text}**" if value == best else text for text, value in zip(texts, shown, strict=True)]
            cells[f"group {heading}" if heading in cells else heading] = marked
        return cells

    def remarks(self) -> list[str]:
        """Say how many recordings each group has, and what the figures are."""
        groups = ", ".join(f"{group} {count}" for group, count in self.recordings.items())
        return [f"Unweighted means over the test recordings of each group ({groups}) and over seeds."]


def by_group(runs: Runs, name: str, metric: str) -> ByGroup | None:
    """Average the scores on another set by group of its test recordings.

    Args:
        runs: runs of a folder.
        name: name of the set.
        metric: name of the metric, one of METRICS.

    Returns:
        The table; None unless the recordings have two groups at least.
    """
    done = runs.table[runs.table.status == "done"]
    lines, members = [], dict[str, str]()
    for run in done.itertuples():
        recordings = runs.results[run.run].elsewhere.get(name, {}).get("recordings", {})
        for id, scores in recordings.items():
            group = scores.get("group") or _UNGROUPED
            members.setdefault(id, group)
            lines.append([*(getattr(run, part) for part in ROW), group, scores.get(metric)])
    groups = list(dict.fromkeys(members.values()))
    if len(groups) < 2:
        return None
    scores = pd.DataFrame(lines, columns=[*ROW, "group", "score"]).astype({"score": float})
    table = scores.groupby([*ROW, "group"], sort=False).score.mean().unstack()[groups].add_prefix(_GROUP)
    table.insert(0, "mean", scores.groupby(ROW, sort=False).score.mean())
    order = pd.MultiIndex.from_frame(done[ROW].drop_duplicates())
    table = table.reindex([row for row in order if row in table.index]).reset_index()
    counts = {group: list(members.values()).count(group) for group in groups}
    return ByGroup(name, METRICS[metric].words, table, counts)


def remarks_elsewhere(runs: Runs, lines: pd.DataFrame, metric: str) -> list[str]:
    """Write the remarks below a table on its columns of other sets.

    Args:
        runs: runs of the folder.
        lines: lines of the table, `summarise`.
        metric: name of the metric that ranks the rows.
    """
    remarks = []
    for name in sets_of(lines):
        count = lines[on_set("recordings", name)].max()
        many = "one test recording" if count == 1 else f"{count} test recordings"
        remarks.append(
            f"on {name}: the same trained models at the same thresholds on the {many} of {name}, read as "
            f"{_read_as(runs, name)}; none is trained on. {_labels(runs, name)}{_carried_over(lines, metric, name)}"
        )
    return [remark.rstrip() for remark in remarks]


def _labels(runs: Runs, name: str) -> str:
    """Say what the labels of a set are; "" if its source says nothing."""
    said = [result.elsewhere[name]["labels"] for result in runs.results.values() if name in result.elsewhere]
    return "".join(f"{sentence} " for sentence in dict.fromkeys(said) if sentence)


def _read_as(runs: Runs, name: str) -> str:
    """Say by which source a set is read, and with which keys."""
    found = []
    for result in runs.results.values():
        if name in result.elsewhere:
            keys = keys_of_set(result, name)
            left_out = ("source", "fingerprint", *["shift"] * (not keys.get("shift")))
            said = [
                f"{key}={str(value).lower() if isinstance(value, bool) else value}"
                for key, value in keys.items()
                if key not in left_out and not key.endswith("root")  # another root is of labels, say
            ]
            found.append(" ".join([str(keys.get("source", "")), *said]))
    return " and ".join(dict.fromkeys(found))


def _carried_over(lines: pd.DataFrame, metric: str, name: str) -> str:
    """Say how well the ranking of the rows carries over to another set; "" with too few rows."""
    here, there = METRICS[metric].name, on_set(metric, name)
    known = lines[lines[here].notna() & lines[there].notna()]
    found = []
    for model, part in known.groupby("model", sort=False):
        tau = float(kendall(part[here].to_numpy(float), part[there].to_numpy(float)))
        if len(part) >= FEWEST_ROWS and tau == tau:
            of = f" of {model}" * (known.model.nunique() > 1)
            found.append(f"{tau:.2f} over {len(part)} rows{of}")
    if not found:
        return ""
    words = METRICS[metric].words
    return f"Kendall's tau between the rows' {words} here and there: {', '.join(found)} (1: the same ranking)."

"""Find the runs in folders of results, and say which folders are left out because they are none, such as copies."""

import os
from collections.abc import Collection
from pathlib import Path

from sweep.results.plan import PLAN, is_name
from sweep.results.state import SIGNS
from sweep.walking import walk

_NAMED = 3  # folders that a remark names


def protocol_folders(directory: Path, remarks: list[str]) -> list[Path]:
    """Find the <data>/<protocol> folders in and below a directory, and the one that contains it, if any.

    A sweep within another one's folder is a copy, such as a backup, and left out, unless the directory lies in it;
    `find_runs` names it.

    Args:
        directory: root of the runs, folder of one run, or a folder between.
        remarks: list to which a line is added for what could not be read.
    """
    plans, holders, unread = set(), set(), list[str]()
    for folder, below, files in walk(Path(os.path.abspath(directory)), unread):
        if PLAN in files:
            plans.add(folder)
        if _holds_run(files):
            below.clear()  # skip its subfolders: logs and pictures
            if len(folder.parents) > 2 and is_name("/".join(folder.parts[-3:])):
                holders.add(folder.parents[2])
    stray = {plan for plan in plans - holders if any(plan in folder.parents for folder in holders)}
    remarks += [f"{plan / PLAN}: left out, none of its runs is there, and other results lie below it" for plan in stray]
    found = sorted((plans | holders) - stray)
    found = [folder for folder in found if not set(found) & set(folder.parents)]
    remarks += [line for line in unread if not any(line.startswith(f"{folder}{os.sep}") for folder in found)]
    return found


def find_runs(folder: Path, remarks: list[str]) -> list[str]:
    """Find the run folders below a <runs>/<data>/<protocol> folder, relative to it, sorted.

    Args:
        folder: folder of the runs, which are in <model>/<row>/seed-<n>.
        remarks: list to which a line is added for folders that cannot be read, and for what holds a run's files but is
            not where a run is, such as a copy of a run's folder.
    """
    found, odd = [], []
    for path, below, files in walk(folder, remarks):
        copied = path != folder and PLAN in files
        if copied or _holds_run(files):
            below.clear()
            run = path.relative_to(folder).as_posix()
            (found if is_name(run) and not copied else odd).append(run)
    if odd:
        more = f" and {len(odd) - _NAMED} more" * (len(odd) > _NAMED)
        named = f"{folder}: left out, since not named <model>/<representation>/seed-<n> as runs are: "
        remarks.append(f"{named}{', '.join(odd[:_NAMED])}{more}")
    return sorted(found)


def _holds_run(files: Collection[str]) -> bool:
    return any(name in files for name in SIGNS)

"""The files that W&B's client writes offline: a log of protocol buffers in LevelDB's format."""

import json
import struct
from dataclasses import dataclass, field
from pathlib import Path

from wandb.proto import wandb_internal_pb2

_BLOCK = 32768  # bytes
_HEADER = 7  # of the file, and of each part of a record: checksum, length, kind
_FULL, _LAST = 1, 4  # kinds; 2 and 3 are the first and the middle parts of a record


@dataclass
class OfflineRun:
    """What one file says.

    Attributes:
        id, group, name, job_type: of the run.
        resume: whether it continues what is known of its id, or replaces it.
        config, summary: the last value of each key.
        history: a dict a step.
    """

    id: str = ""
    group: str = ""
    name: str = ""
    job_type: str = ""
    resume: bool = False
    config: dict = field(default_factory=dict)
    summary: dict = field(default_factory=dict)
    history: list[dict] = field(default_factory=list)


def read_offline_run(path: Path) -> OfflineRun:
    """Reads run-<id>.wandb."""
    found = OfflineRun()
    for record in _records(path.read_bytes()):
        kind = record.WhichOneof("record_type")
        if kind == "run":
            run = record.run
            found.id, found.group, found.name, found.job_type = (
                run.run_id,
                run.run_group,
                run.display_name,
                run.job_type,
            )
            found.resume = run.resume
            found.config |= _values(run.config.update)
        elif kind == "config":
            found.config |= _values(record.config.update)
        elif kind == "summary":
            found.summary |= _values(record.summary.update)
        elif kind == "history":
            found.history.append(_values(record.history.item))
    return found


def _values(items) -> dict:
    return {item.key or ".".join(item.nested_key): json.loads(item.value_json) for item in items}


def _records(content: bytes):
    assert content[:4] == b":W&B"
    place, parts = _HEADER, b""
    while place + _HEADER <= len(content):
        if _BLOCK - place % _BLOCK < _HEADER:  # no part starts in what is left of a block
            place += _BLOCK - place % _BLOCK
            continue
        _, length, kind = struct.unpack_from("<IHB", content, place)
        parts += content[place + _HEADER : place + _HEADER + length]
        place += _HEADER + length
        if kind in (_FULL, _LAST):
            record = wandb_internal_pb2.Record()
            record.ParseFromString(parts)
            parts = b""
            yield record

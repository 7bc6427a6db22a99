"""The words for SLURM's reasons, without a SLURM; tests/test_slurm.py meets three of them in a queue."""

from dataclasses import replace

import pytest
from configs import make_config

from sweep.scheduling.queue_reasons import LASTED, Pending, explain_pending, look_up

ASKED = replace(
    make_config("cluster=slurm").cluster, account="music", qos="short", extra={"constraint": "a100"}, cpus=8, memory=32
)
KEYS = "cpus memory gpus timeout partition account qos extra".split()
NODES_DOWN = "Nodes required for job are DOWN, DRAINED or reserved for jobs in higher priority partitions"

# What does not pass by itself, and the keys that decide it.
STAYS = {
    "PartitionConfig": "cpus memory gpus partition extra",
    "BadConstraints": "cpus memory gpus partition extra",
    "MaxMemPerLimit": "memory cpus partition",
    "PartitionTimeLimit": "timeout partition",
    "PartitionNodeLimit": "partition extra",
    "PartitionDown": "partition",
    "PartitionInactive": "partition",
    "ReqNodeNotAvail": "timeout partition extra",
    "ReqNodeNotAvail, UnavailableNodes:node[1-3]": "timeout partition extra",
    NODES_DOWN: "timeout partition extra",
    "AccountNotAllowed": "account partition",
    "InvalidAccount": "account partition",
    "InvalidQOS": "qos account partition",
    "QOSNotAllowed": "qos account partition",
    "AccountingPolicy": "cpus memory gpus timeout account qos",
    "DependencyNeverSatisfied": "extra",
    "ReservationDeleted": "extra",
    "JobHeldAdmin": "",
    "JobHeldUser": "",
    "JobHoldMaxRequeue": "",
    "job requeued in held state": "",
    "launch failed requeued held": "",
    "AssocMaxCpuPerJobLimit": "cpus qos account partition",
    "QOSMaxCpuPerNode": "cpus qos account partition",
    "QOSMaxMemoryPerJob": "memory qos account partition",
    "AssocMaxMemPerNode": "memory qos account partition",
    "QOSMaxGRESPerJob": "gpus qos account partition",
    "QOSMaxWallDurationPerJobLimit": "timeout qos account partition",
    "AssocMaxCpuMinutesPerJobLimit": "cpus timeout qos account partition",
    "QOSMaxBillingPerJob": "cpus memory gpus qos account partition",
    "QOSMinCpuNotSatisfied": "cpus qos",
    "QOSMinGRES": "gpus qos",
    "QOSUsageThreshold": "account qos",
    "AssocGrpCPUMinutesLimit": "account qos",
    "QOSGrpWallLimit": "account qos",
}
# What passes, and the keys to change if it does not: of limits that one job alone may be past.
PASSES = {
    "Resources": "",
    "Priority": "",
    "JobArrayTaskLimit": "",
    "BeginTime": "",
    "Dependency": "",
    "Licenses": "",
    "AssocMaxJobsLimit": "",
    "QOSMaxJobsPerUserLimit": "",
    "QOSMaxSubmitJobPerUserLimit": "",
    "MaxJobsPerAccount": "",
    "QOSGrpJobsLimit": "",
    "QOSMaxCpuPerUserLimit": "cpus qos account",
    "MaxGRESPerAccount": "gpus qos account",
    "QOSGrpCpuLimit": "cpus qos account",
    "QOSGrpGRES": "gpus qos account",
    "AssocGrpCPURunMinutesLimit": "cpus timeout qos account",
    "MaxMemoryRunMinsPerUser": "memory timeout qos account",
}


def explain(name: str, pending: int = 3) -> str:
    return explain_pending(name, pending, 34, "17", ASKED)


@pytest.mark.parametrize("name", STAYS)
def test_what_does_not_pass_by_itself_says_so_with_the_keys_to_change(name):
    assert (look_up(name).keys, look_up(name).passes) == (STAYS[name], False)
    line = explain(name)
    assert line.startswith(f"3 of 34 jobs pending: {name}, ") and "does not pass by itself" in line
    assert ("change" in line) == bool(STAYS[name])
    for key in KEYS:
        value = getattr(ASKED, key)
        shown = {"partition": "null", "extra": "{constraint: a100}"}.get(key, value)
        assert (f"cluster.{key}={shown}" in line) == (key in STAYS[name].split())
    assert "\n" not in line


@pytest.mark.parametrize("name", PASSES)
def test_what_passes_asks_for_no_change_at_once(name):
    assert (look_up(name).keys, look_up(name).passes) == (PASSES[name], True)
    line = explain(name)
    assert line.startswith(f"3 of 34 jobs pending: {name}, ") and "does not pass" not in line
    assert ("if it stays, change" in line) == ("change" in line) == bool(PASSES[name])


def test_held_jobs_are_released_by_whoever_holds_them():
    assert "scontrol release 17" in explain("JobHeldUser")
    assert "scontrol" not in explain("JobHeldAdmin") and "administrator" in explain("JobHeldAdmin")


def test_a_reason_that_is_not_known_shows_all_that_was_asked_for():
    line = explain("SomethingNew")
    assert "SomethingNew" in line and "man squeue" in line and "does not pass" not in line
    assert all(f"cluster.{key}=" in line for key in KEYS)


def test_a_reason_is_news_once_it_has_lasted():
    pending = Pending()
    assert pending.news(["None", "None"], 100) == {}
    assert pending.news(["PartitionConfig", "None"], 102) == {}
    assert pending.news(["PartitionConfig", "None"], 100 + LASTED) == {}
    assert pending.news(["PartitionConfig", "PartitionConfig"], 102 + LASTED) == {"PartitionConfig": 2}
    assert pending.news(["PartitionConfig"], 120) == {}
    assert pending.news(["None"], 140) == {}


def test_another_reason_is_news_and_so_is_one_that_stays_when_it_returns():
    pending, said = Pending(), []
    for start, names in enumerate(
        (
            ["JobHeldUser"],
            ["Resources"],
            ["JobHeldUser", "Resources"],
            ["Resources"],
            [],
            ["Resources"],
            ["ReqNodeNotAvail, UnavailableNodes:a", "ReqNodeNotAvail, UnavailableNodes:a"],
            ["ReqNodeNotAvail, UnavailableNodes:a,b"],
        )
    ):
        for second in (0, LASTED):
            said.append(pending.news(names, 10 * start + second))
    assert list(filter(None, said)) == [
        {"JobHeldUser": 1},
        {"Resources": 1},
        {"JobHeldUser": 1},
        {"ReqNodeNotAvail": 2},
    ]

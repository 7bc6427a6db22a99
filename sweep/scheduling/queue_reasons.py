"""Explain why SLURM keeps jobs pending: whether the reason passes by itself, and what to change if it does not.

The names are those of https://slurm.schedmd.com/job_reason_codes.html and, for older versions, of `man squeue`.
"""

import json
import re
from typing import NamedTuple

from sweep.config import SlurmCluster

LASTED = 3.0  # seconds that a reason must last before it is printed: some last only for a moment
_SIZE, _NODES = "cpus memory gpus", "cpus memory gpus partition extra"
_ALL = "cpus memory gpus timeout partition account qos extra"


class Reason(NamedTuple):
    """Meaning of one of SLURM's reasons.

    Attributes:
        meaning: the meaning in words; {array} stands for the id of the job array.
        keys: keys of `cluster` that the reason depends on; LIMIT stands for the keys that its name mentions.
        passes: whether the reason passes by itself, as far as its name tells.
    """

    meaning: str
    keys: str = ""
    passes: bool = False


# Keys are patterns of whole names; the first one that matches is used.
_REASONS = {
    "Resources": Reason("other jobs use what these ask for", passes=True),
    "Priority": Reason("jobs of higher priority come first", passes=True),
    "JobArrayTaskLimit": Reason("as many jobs run as cluster.parallel allows", passes=True),
    "BeginTime": Reason("SLURM waits a moment before it starts a job again, or for the time that was set", passes=True),
    "Licenses": Reason("other jobs use the licenses", passes=True),
    "Dependency|Reservation|Prolog|Cleaning|BurstBuffer(Resources|StageIn)|FedJobLock|MpiPortsBusy": Reason(
        "SLURM prepares something, or waits for another job", passes=True
    ),
    "WaitingForScheduling|SchedDefer|MaxPoweredUpNodes": Reason("SLURM has not come to them yet", passes=True),
    # The job asks for something that does not exist, or not in that partition.
    "PartitionConfig": Reason("no node of the partition is what they ask for", _NODES),
    "(Bad)?Constraints": Reason("no node is what they ask for", _NODES),
    "MaxMemPerLimit": Reason("more memory than a job may have on a node or for a CPU", "memory cpus partition"),
    "PartitionTimeLimit": Reason("longer than the partition allows", "timeout partition"),
    "Partition(Node|Min|Max).*": Reason("not the number of nodes that the partition gives a job", "partition extra"),
    "AccountNotAllowed|InvalidAccount": Reason("not an account for this partition", "account partition"),
    "QOSNotAllowed|InvalidQOS": Reason("not a QOS for this account and partition", "qos account partition"),
    "DependencyNeverSatisfied": Reason("the job that they depend on has ended another way", "extra"),
    "Reservation(Deleted|Invalid)": Reason("there is no such reservation", "extra"),
    # Somebody has to act; another partition may work meanwhile, and a short job may fit in before a reservation.
    "Partition(Down|Inactive)": Reason("the partition starts no jobs until an administrator lets it", "partition"),
    "NodeDown|FrontEndDown": Reason("a node is down", "partition extra"),
    "ReqNodeNotAvail.*|Nodes required for job are.*": Reason(
        "until an administrator brings the nodes back or a reservation ends", "timeout partition extra"
    ),
    "JobHeldAdmin": Reason("an administrator holds them and has to release them"),
    "JobHeldUser|JobHoldMaxRequeue|.*requeued.* held.*": Reason("they are held; scontrol release {array} lets them go"),
    "BurstBufferOperation|(JobLaunch|System)Failure": Reason("SLURM could not start them; ask its administrator"),
    # Limits of an association (a user's account) or a QOS.
    "QOSUsageThreshold|(QOS|Assoc)Grp(?!.*Run).*(Minutes|Wall).*": Reason("computing time is used up", "account qos"),
    "AccountingPolicy": Reason("past a limit of the account or the QOS", f"{_SIZE} timeout account qos"),
    "QOSMin.*": Reason("less than the QOS has a job ask for", "LIMIT qos"),
    "(QOS|Assoc)Max.*Per(Job|Node)(Limit)?": Reason("more than one job may have", "LIMIT qos account partition"),
    "(QOS|Association)TimeLimit": Reason("longer than a job may take", "timeout qos account"),
    "(QOS|Assoc|Association|Max).*Jobs?(PerUser|PerAccount)?(Limit)?": Reason("as many jobs as allowed", passes=True),
    "(QOSGrp|AssocGrp|QOSMax|Max).*|(QOS|Association)ResourceLimit": Reason(
        "running jobs have all that a user, an account or the QOS may have", "LIMIT qos account", passes=True
    ),
}
_UNKNOWN = Reason("`man squeue` explains it", _ALL, passes=True)
_LIMITS = {"cpu": "cpus", "mem": "memory", "gres": "gpus", "wall": "timeout", "node|license": "extra"}


def look_up(name: str) -> Reason:
    """Look up what a reason means.

    Args:
        name: name of the reason as squeue's %r prints it.

    >>> look_up("QOSMaxCpuPerJobLimit")
    Reason(meaning='more than one job may have', keys='cpus qos account partition', passes=False)
    """
    reason = next((reason for pattern, reason in _REASONS.items() if re.fullmatch(pattern, name)), _UNKNOWN)
    limit = next((key for part, key in _LIMITS.items() if re.search(part, name.lower())), _SIZE)
    if re.search("minutes|runmins", name.lower()):
        limit += " timeout"
    return reason._replace(keys=reason.keys.replace("LIMIT", limit))


def explain_pending(name: str, pending: int, jobs: int, array: str, cluster: SlurmCluster) -> str:
    """Explain in one line how many jobs are pending and why, which settings may be the cause, and what to do.

    Args:
        name: name of the reason as squeue's %r prints it.
        pending: number of jobs pending for this reason.
        jobs: number of jobs in the array.
        array: id of the array.
        cluster: settings that the jobs were submitted with.
    """
    reason = look_up(name)
    line = f"{pending} of {jobs} jobs pending: {name}, {reason.meaning.format(array=array)}"
    if not reason.passes:
        line += "; this does not pass by itself"
    if not reason.keys:
        return line
    values = ", ".join(f"cluster.{key}={_spell(getattr(cluster, key))}" for key in reason.keys.split())
    advice = "if it stays, change" if reason.passes else "change"
    return f"{line}; each asks for {values}: {advice} {'one of these' if ',' in values else 'this'}"


class Pending:
    """Track why the jobs of an array are pending, and report only the reasons that are new."""

    def __init__(self):
        self._since: dict[str, float] = {}
        self._said: set[str] = set()

    def news(self, reasons: list[str], now: float) -> dict[str, int]:
        """Count the pending jobs for each reason that has lasted LASTED seconds and was not reported before.

        A reason that does not pass by itself is reported again when it returns.

        Args:
            reasons: reason of each pending job, as squeue's %r prints it.
            now: time in seconds, from any clock.

        >>> pending = Pending()
        >>> [pending.news(["Resources", "Resources"], now) for now in (0, 2, 4, 6)]
        [{}, {}, {'Resources': 2}, {}]
        """
        names = [re.split(r"[,(] *Unavailable", name)[0] for name in reasons if name != "None"]  # drop names of nodes
        self._since = {name: self._since.get(name, now) for name in names}
        # Reasons that pass by themselves come and go all the time, so they are reported once only.
        self._said = {name for name in self._said if name in self._since or look_up(name).passes}
        new = [name for name, since in self._since.items() if now - since >= LASTED and name not in self._said]
        self._said.update(new)
        return {name: names.count(name) for name in new}


def _spell(value) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str).replace('"', "")

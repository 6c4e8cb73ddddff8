"""All that Java's Admin client can ask of one broker, answered by our node and by Apache Kafka, answer beside answer.

tests/clients/java/AdminCalls.java makes the calls and tells everything that each result tells. What each engine makes
up for itself (ids, ports, directories, times) is compared by its type, failures by their class, the rest by value.
What differs all the same is in `DIFFERENCES`, each with its reason; a difference that is gone must leave the list.
"""

from __future__ import annotations

import fnmatch
import json
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from support.engines import ENGINES, started
from support.java import compile_java, java_command

pytestmark = pytest.mark.java

PROGRAM = Path(__file__).parent / "java" / "AdminCalls.java"
SETTINGS = {"group.initial.rebalance.delay.ms": "0", "offsets.topic.num.partitions": "3"}
MADE_UP = {
    "clusterId", "consumerId", "finalizedFeaturesEpoch", "getCurrentReplicaLogDir", "highWatermark",
    "lastCaughtUpTimestamp", "lastFetchTimestamp", "lastTimestamp", "logEndOffset", "port", "producerId", "topicId",
}  # fmt: skip

BROKER = "describeConfigs ConfigResource(type=BROKER, name='1') "
SET_FOR_APACHE = "what Apache Kafka needs to be told in order to run alone, and what tests tell it to be quick"
LIMITS = "a node of ours bounds its connections by default"
OURS = "what we have and Apache has not"
REPLICATION = "Apache takes these too, and does not list them"
TRANSACTIONS = "transactions come with a later issue"
SECURITY = "access control, quotas and logins come with a later issue"
OTHER_GROUPS = "share and streams groups come with a later issue"
FEATURES = "what is not served is neither supported nor finalized"
ELR = "Apache finalizes eligible.leader.replicas.version, and with it a default of min.insync.replicas for the cluster"
SYNONYMS = "we name the built-in default of every setting, Apache only that of one whose own default is not empty"
ONE_LISTENER = "the quorum of a single node needs no listener of its own"

DIFFERENCES: dict[str, str] = {
    f"{BROKER}/advertised.listeners/*": SET_FOR_APACHE,
    f"{BROKER}/broker.id/*": SET_FOR_APACHE,
    f"{BROKER}/broker.heartbeat.interval.ms/*": SET_FOR_APACHE,
    f"{BROKER}/broker.session.timeout.ms/*": SET_FOR_APACHE,
    f"{BROKER}/controller.*": SET_FOR_APACHE,
    f"{BROKER}/listener*": SET_FOR_APACHE,
    f"{BROKER}/offsets.topic.replication.factor/*": SET_FOR_APACHE,
    f"{BROKER}/share.coordinator.state.topic.*": SET_FOR_APACHE,
    f"{BROKER}/transaction.state.log.*": SET_FOR_APACHE,
    f"{BROKER}/log.dirs/value: *": "each has its own",
    f"{BROKER}/log.dir/value: null here*": "no directory that the operator did not name",
    f"{BROKER}/max.connection*": LIMITS,
    f"{BROKER}/log.flush.policy: *": OURS,
    f"{BROKER}/follower.replication.throttled.rate: *": REPLICATION,
    f"{BROKER}/leader.replication.throttled.rate: *": REPLICATION,
    f"{BROKER}/replica.alter.log.dirs.io.max.bytes.per.second: *": REPLICATION,
    f"{BROKER}/replica.lag.time.max.ms/isReadOnly: false here, true there": "ours can be set while the node runs",
    f"{BROKER}/min.insync.replicas/*": ELR,
    "describeConfigs ConfigResource(type=TOPIC, name='orders') /min.insync.replicas/*": ELR,
    "describeConfigs ConfigResource(type=BROKER, name='') : * here, {\"min.insync.replicas\": *": ELR,
    "describeConfigs synonyms /min.insync.replicas: *": ELR,
    "describeConfigs synonyms /*: * here, ?? there": SYNONYMS,
    "describeFeatures /featureMetadata/*": FEATURES,
    "describeMetadataQuorum /quorumInfo/nodes/1/endpoints/*": ONE_LISTENER,
    "describeShareGroups */*": OTHER_GROUPS,
    "describeStreamsGroups */*": OTHER_GROUPS,
    "alterClientQuotas *": SECURITY,
    "alterUserScramCredentials *": SECURITY,
    "describeAcls *": SECURITY,
    "deleteAcls *": SECURITY,
    "describeDelegationToken *": SECURITY,
    "listTransactions *": TRANSACTIONS,
    "describeTransactions *": TRANSACTIONS,
    "fenceProducers *": TRANSACTIONS,
}
"""A pattern for the told differences ("[" stands for itself) and why they are there."""


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, dict[str, Any]]]:
    """Engine -> call -> answer."""
    with ExitStack() as stack:
        nodes = [stack.enter_context(started(name, tmp_path_factory.mktemp(name), SETTINGS)) for name in ENGINES]
        addresses = [node.address for node in nodes]
        command = java_command("AdminCalls", compile_java([PROGRAM]), *addresses)
        done = subprocess.run(command, capture_output=True, text=True, timeout=150, check=False)
        assert done.returncode == 0, done.stderr
        found: dict[str, dict[str, Any]] = {name: {} for name in ENGINES}
        for line in done.stdout.splitlines():
            said = json.loads(line)
            found[ENGINES[addresses.index(said["address"])]][said["call"]] = comparable(said["answer"])
        yield found


def comparable(answer: Any, key: str = "") -> Any:
    """What is made up as its type; lists of settings by name."""
    if key in MADE_UP and answer is not None:
        return f"a {type(answer).__name__}"
    if isinstance(answer, dict):
        return {name: comparable(part, name) for name, part in answer.items()}
    if isinstance(answer, list):
        parts = [comparable(part) for part in answer]
        names = [part["name"] for part in parts if isinstance(part, dict) and "isReadOnly" in part]
        return dict(zip(names, parts, strict=True)) if len(names) == len(parts) and names else parts
    return answer


def differing(ours: Any, theirs: Any, path: str) -> Iterator[str]:
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in sorted({*ours, *theirs}):
            yield from differing(ours.get(key, "nothing"), theirs.get(key, "nothing"), f"{path}/{key}")
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for index, (mine, yours) in enumerate(zip(ours, theirs, strict=True)):
            yield from differing(mine, yours, f"{path}/{index}")
    elif ours != theirs:
        yield f"{path}: {json.dumps(ours)[:200]} here, {json.dumps(theirs)[:200]} there"


def _fits(line: str, pattern: str) -> bool:
    return fnmatch.fnmatchcase(line, pattern.replace("[", "[[]"))


def test_java_s_admin_client_hardly_sees_a_difference(answers: dict[str, dict[str, Any]]) -> None:
    ours, theirs = (answers[engine] for engine in ENGINES)
    assert list(ours) == list(theirs)
    assert len(ours) > 80
    found = [line for call in ours for line in differing(ours[call], theirs[call], f"{call} ")]
    listed = {line: pattern for line in found for pattern in DIFFERENCES if _fits(line, pattern)}
    surprising = [line for line in found if line not in listed]
    gone = [pattern for pattern in DIFFERENCES if pattern not in listed.values()]
    if surprising or gone:
        pytest.fail("\n".join(["Differences that are not listed:", *surprising, "Listed and gone:", *gone]))

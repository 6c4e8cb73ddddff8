"""logctl cluster: info, health, quorum (changes of it in cluster_quorum), features, api-versions, capabilities.

What a command works with is imported when it runs: its help and its usage errors cost nothing but Typer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypedDict

import typer

from logctl.cli import output
from logctl.cli.cells import address_text, counted, or_dash, yes_no
from logctl.cli.cluster_features import register_features
from logctl.cli.cluster_quorum import register_quorum
from logctl.cli.command import reading
from logctl.cli.output import Column, Listing, Nested, OfCluster, View
from logctl.cli.units import count_text, duration_text

if TYPE_CHECKING:
    from logctl.admin.capabilities import Compared, Offer
    from logctl.admin.checks import Finding
    from logctl.admin.health import ClusterView
    from logctl.admin.nodes import Node
    from logctl.admin.quorum import Quorum, Replica
    from logctl.cli.session import Session


def register(app: typer.Typer) -> None:
    """Add `logctl cluster`."""
    cluster = typer.Typer(no_args_is_help=True, help="Look at the cluster as a whole: health, quorum, what it offers.")
    cluster.command("info")(info_command)
    cluster.command("health")(health_command)
    cluster.command("quorum")(quorum_command)
    register_quorum(cluster)
    register_features(cluster)
    cluster.command("api-versions")(api_versions_command)
    cluster.command("capabilities")(capabilities_command)
    app.add_typer(cluster, name="cluster")


# -- info --------------------------------------------------------------------------------------------------------------


class InfoNode(TypedDict):
    id: int
    roles: list[str]
    host: Annotated[str | None, "null where the cluster does not tell"]
    port: Annotated[int | None, "null where the cluster does not tell"]
    rack: str | None
    controller: Annotated[bool | None, "is it the active controller? null where the cluster does not tell"]
    fenced: Annotated[bool | None, "registered and not serving; null where the cluster does not tell"]
    release: Annotated[str | None, "the newest metadata.version it can run"]


class Info(TypedDict):
    name: Annotated[str, "the cluster's id"]
    controller: Annotated[int | None, "node id of the active controller; null while there is none"]
    topics: Annotated[int, "without the cluster's own"]
    internal_topics: int
    partitions: int
    replicas: int
    metadata_version: Annotated[str | None, "the level that was agreed on, by name"]
    features: Annotated[dict[str, int], "levels that were agreed on"]
    nodes: list[InfoNode]


INFO = Listing(
    "clusters",
    Info,
    (
        Column("NODE", lambda node: node["id"], number=True),
        Column("ROLES", lambda node: ",".join(node["roles"])),
        Column("ADDRESS", lambda node: address_text(node)),
        Column("RACK", lambda node: node["rack"] or "-"),
        Column("CONTROLLER", lambda node: yes_no(node["controller"])),
        Column("FENCED", lambda node: yes_no(node["fenced"])),
        Column("RELEASE", lambda node: node["release"] or "-"),
    ),
    Nested("nodes", "CLUSTER", lambda item: _info_headline(item)),
    OfCluster,
)


@reading(INFO)
def info_command(session: Session) -> View:
    """Show the cluster's id, its controller, its nodes, and how much is in it.

    With -o name the id alone. Replaces kafka-cluster cluster-id and list-endpoints.

    \b
    Example:
      logctl cluster info
    """
    from logctl.admin.features import METADATA_VERSION, list_features, release_of
    from logctl.admin.nodes import list_nodes

    features = list_features(session.cluster, session.deadline)
    metadata = session.cluster.refresh(session.deadline, None)
    nodes = list_nodes(session.cluster, session.deadline)
    levels = {one.name: one.level for one in features.found if one.level}
    partitions = [one for topic in metadata.topics for one in topic.partitions]
    item: Info = {
        "name": nodes.cluster_id or "",
        "controller": next((node.node_id for node in nodes.found if node.controller), None),
        "topics": sum(not topic.is_internal for topic in metadata.topics),
        "internal_topics": sum(topic.is_internal for topic in metadata.topics),
        "partitions": len(partitions),
        "replicas": sum(len(one.replica_nodes) for one in partitions),
        "metadata_version": release_of(levels.get(METADATA_VERSION, 0)),
        "features": levels,
        "nodes": [_info_node(node) for node in nodes.found],
    }
    return INFO.view([item], {**features.failures, **nodes.failures}, cluster_id=nodes.cluster_id)


def _info_node(node: Node) -> InfoNode:
    return {
        "id": node.node_id,
        "roles": list(node.roles),
        "host": node.host,
        "port": node.port,
        "rack": node.rack,
        "controller": node.controller,
        "fenced": node.fenced,
        "release": node.release,
    }


def _info_headline(item: Mapping[str, Any]) -> str:
    controller = "no controller" if item["controller"] is None else f"controller {item['controller']}"
    version = f", metadata.version {item['metadata_version']}" if item["metadata_version"] else ""
    return output.neutral(
        f"cluster {item['name']}, {controller}, {counted(item['topics'], 'topic')} and"
        f" {item['internal_topics']} of its own, {counted(item['partitions'], 'partition')},"
        f" {counted(item['replicas'], 'replica')}{version}"
    ) + "\n"


# -- health ------------------------------------------------------------------------------------------------------------


class FoundFault(TypedDict):
    severity: Literal["critical", "warning", "info"]
    check: Annotated[str, "name of the health check that found it"]
    subject: Annotated[str, "what it is about: 'topic orders', 'broker 2', 'cluster'"]
    sentence: str
    hint: str


class Health(TypedDict):
    name: Annotated[str, "the cluster's id"]
    verdict: Literal["healthy", "degraded", "critical"]
    brokers: int
    topics: int
    partitions: int
    checks: Annotated[list[str], "the checks that were made"]
    findings: Annotated[list[FoundFault], "the worst first; info does not spoil the verdict"]


HEALTH = Listing(
    "clusters",
    Health,
    (
        Column("SEVERITY", lambda found: found["severity"]),
        Column("CHECK", lambda found: found["check"]),
        Column("SUBJECT", lambda found: found["subject"]),
        Column("FINDING", lambda found: found["sentence"]),
        Column("HINT", lambda found: found["hint"], wide=True),
    ),
    Nested("findings", "CLUSTER", lambda item: _health_headline(item)),
    OfCluster,
)


@reading(HEALTH, watch=True)
def health_command(
    session: Session,
    checks: Annotated[
        list[str] | None, typer.Argument(metavar="[CHECK]...", help="Health checks to make; all by default.")
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Look until the cluster is healthy, for as long as --timeout allows.")
    ] = False,
    full: Annotated[
        int, typer.Option("--full", metavar="PERCENT", help="From which use on a volume is taken for nearly full.")
    ] = 85,
) -> View:
    """Check the health of the cluster: partitions, replicas, controller, quorum, brokers, volumes, moves.

    Ends with 0 when it is healthy, and with 1 when it is degraded or critical; with --wait with 6 when it has not
    become healthy in time.

    \b
    Example:
      logctl cluster health --wait --timeout 2m
    """
    from logctl.admin.checks import Limits, judge, known, parts_of, verdict
    from logctl.admin.health import look
    from logctl.cli.exits import Exit
    from logctl.errors import UsageError

    if not 0 < full <= 100:
        raise UsageError(f"--full {full}: it is a percentage")
    names, limits = known(checks or ()), Limits(full_share=full / 100)

    def judged() -> tuple[ClusterView, list[Finding]]:
        view = look(session.cluster, session.deadline, parts_of(names), earlier=session.memory.get("health"))
        session.memory["health"] = view
        return view, judge(view, names, limits)

    view, findings = _until_healthy(judged, session) if wait else judged()
    found = verdict(findings)
    code = Exit.DONE if found == "healthy" else Exit.UNKNOWN if wait else Exit.REFUSED
    return HEALTH.view([_health(view, names, findings)], cluster_id=view.cluster_id)._replace(code=code)


def _until_healthy(
    judged: Callable[[], tuple[ClusterView, list[Finding]]], session: Session
) -> tuple[ClusterView, list[Finding]]:
    """Look again until nothing serious is found or time is up; a cluster that is away meanwhile is not given up."""
    from logctl.admin.checks import verdict
    from logctl.admin.deadline import Backoff
    from logctl.errors import DeadlineExceeded, Unreachable

    backoff, progress = Backoff(), output.Progress()
    seen: tuple[ClusterView, list[Finding]] | None = None
    while True:
        try:
            seen = judged()
        except (Unreachable, DeadlineExceeded):
            if session.deadline.expired:
                if seen is None:
                    raise
                return seen
        if seen is not None and (verdict(seen[1]) == "healthy" or session.deadline.expired):
            progress.clear()
            return seen
        if progress.due():
            progress.tell(f"waiting for {len(seen[1]) if seen else 'all'} findings to go, {progress.elapsed_s:.0f} s")
        backoff.pause(session.deadline)


def _health(view: ClusterView, names: list[str], findings: list[Finding]) -> Health:
    from logctl.admin.checks import verdict

    return {
        "name": view.cluster_id or "",
        "verdict": verdict(findings),  # type: ignore[typeddict-item]
        "brokers": len(view.brokers),
        "topics": len(view.topics),
        "partitions": sum(len(topic.partitions) for topic in view.topics.values()),
        "checks": names,
        "findings": [
            {
                "severity": one.severity.value,
                "check": one.check,
                "subject": one.subject,
                "sentence": one.sentence,
                "hint": one.hint,
            }
            for one in findings
        ],
    }


def _health_headline(item: Mapping[str, Any]) -> str:
    size = f"{counted(item['brokers'], 'broker')}, {counted(item['topics'], 'topic')}"
    return output.neutral(f"cluster {item['name']} is {item['verdict']}: {size}, {len(item['checks'])} checks") + "\n"


# -- quorum ------------------------------------------------------------------------------------------------------------


class QuorumNode(TypedDict):
    id: int
    role: Literal["leader", "voter", "observer"]
    end_offset: Annotated[int | None, "end of its log, as the leader knows it"]
    lag_records: Annotated[int | None, "records it is behind the leader"]
    lag_ms: Annotated[int | None, "how far behind the leader's clock it is caught up"]
    last_fetch_ms: Annotated[int | None, "when it last fetched, in ms since 1970; null where not told"]
    caught_up_ms: Annotated[int | None, "up to when it has everything, in ms since 1970; null where not told"]
    directory_id: Annotated[str | None, "of its log directory; null where voters are fixed by their settings"]
    address: Annotated[str | None, "where a voter listens; null where not told"]


class QuorumItem(TypedDict):
    name: Annotated[str, "the cluster's id"]
    leader: Annotated[int | None, "null while there is none"]
    leader_epoch: int
    high_watermark: Annotated[int, "offset below which the metadata log is agreed on"]
    replicas: list[QuorumNode]


QUORUM = Listing(
    "clusters",
    QuorumItem,
    (
        Column("NODE", lambda node: node["id"], number=True),
        Column("ROLE", lambda node: node["role"]),
        Column("END", lambda node: or_dash(node["end_offset"]), number=True),
        Column("LAG", lambda node: count_text(node["lag_records"]), number=True, key=lambda node: node["lag_records"]),
        Column("BEHIND", lambda node: duration_text(node["lag_ms"]), number=True, key=lambda node: node["lag_ms"]),
        Column("LAST-FETCH", lambda node: _time(node["last_fetch_ms"]), wide=True),
        Column("CAUGHT-UP", lambda node: _time(node["caught_up_ms"])),
        Column("DIRECTORY-ID", lambda node: node["directory_id"] or "-", wide=True),
        Column("ADDRESS", lambda node: node["address"] or "-", wide=True),
    ),
    Nested("replicas", "CLUSTER", lambda item: _quorum_headline(item)),
    OfCluster,
)


@reading(QUORUM, watch=True)
def quorum_command(
    session: Session,
    status: Annotated[bool, typer.Option("--status", hidden=True)] = False,
    replication: Annotated[bool, typer.Option("--replication", hidden=True)] = False,
) -> View:
    """Show who leads, votes in and follows the metadata log, and how far behind each is.

    Replaces kafka-metadata-quorum describe --status and --replication.

    \b
    Example:
      logctl cluster quorum
    """
    from logctl.admin.quorum import describe_quorum

    quorum = describe_quorum(session.cluster, session.deadline)
    cluster_id = session.cluster.cluster_id or session.cluster.refresh(session.deadline).cluster_id
    return QUORUM.view([_quorum(quorum, cluster_id or "")], cluster_id=cluster_id)


def _quorum(quorum: Quorum, cluster_id: str) -> QuorumItem:
    voters = [_quorum_node(quorum, one, "voter") for one in quorum.voters]
    return {
        "name": cluster_id,
        "leader": quorum.leader_id,
        "leader_epoch": quorum.leader_epoch,
        "high_watermark": quorum.high_watermark,
        "replicas": voters + [_quorum_node(quorum, one, "observer") for one in quorum.observers],
    }


def _quorum_node(quorum: Quorum, one: Replica, role: str) -> QuorumNode:
    return {
        "id": one.node_id,
        "role": "leader" if role == "voter" and one.node_id == quorum.leader_id else role,  # type: ignore[typeddict-item]
        "end_offset": one.end_offset,
        "lag_records": one.behind_records,
        "lag_ms": one.behind_ms,
        "last_fetch_ms": one.fetched_ms,
        "caught_up_ms": one.caught_up_ms,
        "directory_id": one.directory_id,
        "address": quorum.addresses.get(one.node_id) or None,
    }


def _quorum_headline(item: Mapping[str, Any]) -> str:
    leader = "no leader" if item["leader"] is None else f"leader {item['leader']}"
    text = f"cluster {item['name']}, {leader}, epoch {item['leader_epoch']}, high watermark {item['high_watermark']}"
    return output.neutral(text) + "\n"


# -- api-versions ------------------------------------------------------------------------------------------------------


class BrokerRange(TypedDict):
    broker: int
    lowest: Annotated[int | None, "null where the broker does not offer the API"]
    highest: int | None


class ApiItem(TypedDict):
    name: str
    key: int
    lowest: Annotated[int | None, "lowest version that all brokers serve; null where they have none in common"]
    highest: int | None
    used: Annotated[int | None, "the version that logctl uses here; null where it speaks none of them"]
    differs: Annotated[bool, "brokers serve different versions"]
    brokers: list[BrokerRange]


API_VERSIONS = Listing(
    "apis",
    ApiItem,
    (
        Column("API", lambda api: api["name"]),
        Column("KEY", lambda api: api["key"], number=True),
        Column("VERSIONS", lambda api: _range(api["lowest"], api["highest"])),
        Column("USED", lambda api: or_dash(api["used"]), number=True),
        Column("BROKERS", lambda api: _ranges(api), key=lambda api: api["differs"]),
    ),
    also=OfCluster,
)


@reading(API_VERSIONS)
def api_versions_command(
    session: Session,
    brokers: Annotated[list[int] | None, typer.Option("--broker", metavar="ID", help="These brokers only.")] = None,
    differences: Annotated[
        bool, typer.Option("--differences", help="Only what the brokers do not all serve alike.")
    ] = False,
) -> View:
    """Show which versions of each API the brokers serve, and which one logctl uses.

    Replaces kafka-broker-api-versions.

    \b
    Example:
      logctl cluster api-versions --differences
    """
    from logctl.admin.capabilities import ask_each, compared, served
    from logctl.errors import OperationFailed

    metadata = session.cluster.refresh(session.deadline)
    for broker in brokers or ():
        if broker not in metadata.brokers:
            raise OperationFailed(f"broker {broker} is not in the cluster", f"there are {_listed(metadata.brokers)}")
    gathered = ask_each(session.cluster, session.deadline)
    wanted = brokers or list(metadata.brokers)
    versions = {node: known for node, known in served(gathered.answers).items() if node in wanted}
    items = [_api_item(one) for one in compared(versions)]
    failures = {f"broker {node}": error for node, error in gathered.missing.items() if node in wanted}
    shown = [item for item in items if item["differs"] or not differences]
    return API_VERSIONS.view(shown, failures, cluster_id=metadata.cluster_id)


def _api_item(one: Compared) -> ApiItem:
    lowest, highest = one.common
    return {
        "name": one.name,
        "key": one.key,
        "lowest": lowest,
        "highest": highest,
        "used": one.used,
        "differs": one.differs,
        "brokers": [{"broker": broker, "lowest": low, "highest": high} for broker, (low, high) in one.ranges.items()],
    }


def _range(lowest: int | None, highest: int | None) -> str:
    if lowest is None:
        return "-"
    return str(lowest) if lowest == highest else f"{lowest}-{highest}"


def _ranges(api: Mapping[str, Any]) -> str:
    if not api["differs"]:
        return "all alike"
    return ", ".join(f"{one['broker']}: {_range(one['lowest'], one['highest'])}" for one in api["brokers"])


# -- capabilities ------------------------------------------------------------------------------------------------------


class CapabilityItem(TypedDict):
    name: Annotated[str, "the API"]
    key: int
    offered: Literal["yes", "partly", "no"]
    purpose: Annotated[str, "what it is good for, to follow 'to'"]
    since: Annotated[str, "the release of Apache Kafka that first served it"]
    lowest: Annotated[int | None, "lowest version that all brokers that offer it serve"]
    highest: int | None
    lacked_by: Annotated[list[int], "brokers that do not offer it"]
    commands: Annotated[list[str], "of logctl, that depend on it"]
    sentence: str


CAPABILITIES = Listing(
    "capabilities",
    CapabilityItem,
    (
        Column("API", lambda one: one["name"]),
        Column("OFFERED", lambda one: one["offered"]),
        Column("SINCE", lambda one: one["since"]),
        Column("TO", lambda one: one["purpose"]),
        Column("COMMANDS", lambda one: ", ".join(one["commands"]) or "-"),
        Column("SENTENCE", lambda one: one["sentence"], wide=True),
    ),
    also=OfCluster,
)


@reading(CAPABILITIES)
def capabilities_command(
    session: Session,
    lacking: Annotated[bool, typer.Option("--lacking", help="Only what the cluster does not offer.")] = False,
    everything: Annotated[
        bool, typer.Option("--all", help="Also what no command of logctl depends on.")
    ] = False,
) -> View:
    """Show what the cluster offers and what it lacks, and which commands depend on it.

    \b
    Example:
      logctl cluster capabilities --lacking
    """
    from logctl.admin.capabilities import ask_each, offers, served

    metadata = session.cluster.refresh(session.deadline)
    gathered = ask_each(session.cluster, session.deadline)
    found = offers(served(gathered.answers))
    chosen = [
        one for one in found if (everything or one.capability.commands) and (one.lacked_by or not lacking)
    ]
    failures = {f"broker {node}": error for node, error in gathered.missing.items()}
    return CAPABILITIES.view([_capability(one) for one in chosen], failures, cluster_id=metadata.cluster_id)


def _capability(one: Offer) -> CapabilityItem:
    lowest, highest = one.versions or (None, None)
    return {
        "name": one.api,
        "key": one.key,
        "offered": "yes" if not one.lacked_by else "partly" if one.offered_by else "no",
        "purpose": one.capability.called,
        "since": one.capability.since,
        "lowest": lowest,
        "highest": highest,
        "lacked_by": list(one.lacked_by),
        "commands": list(one.capability.commands),
        "sentence": one.sentence,
    }


# -- words -------------------------------------------------------------------------------------------------------------


def _listed(ids: Any) -> str:
    return ", ".join(str(one) for one in sorted(ids))


def _time(when_ms: int | None) -> str:
    """As local time, to the millisecond."""
    if when_ms is None:
        return "-"
    import time

    return f"{time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(when_ms // 1000))}.{when_ms % 1000:03d}"

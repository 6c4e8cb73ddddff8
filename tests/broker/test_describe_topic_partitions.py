"""DescribeTopicPartitions: page after page, in the order of names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.assembled import NODE, Assembled

from logctl.wire import errors
from logctl.wire.messages.create_topics import CreatableTopic, CreateTopicsRequest
from logctl.wire.messages.describe_topic_partitions import (
    DescribeTopicPartitionsRequest,
    DescribeTopicPartitionsRequestCursor,
    TopicRequest,
)


@pytest.fixture
def node(tmp_path: Path) -> Assembled:
    node = Assembled(tmp_path)
    wanted = {"payments": 2, "orders": 5, "audit": 1}
    topics = [CreatableTopic(name=name, num_partitions=count, replication_factor=1) for name, count in wanted.items()]
    assert all(not one.error_code for one in node.ask(CreateTopicsRequest(topics=topics), 7).topics)
    return node


def page(node: Assembled, *names: str, limit: int = 2000, start: tuple[str, int] | None = None) -> Any:
    cursor = DescribeTopicPartitionsRequestCursor(*start) if start else None
    request = DescribeTopicPartitionsRequest([TopicRequest(name) for name in names], limit, cursor)
    return node.ask(request, 0)


def told(answer: Any) -> list[tuple[str, list[int]]]:
    return [(topic.name, [one.partition_index for one in topic.partitions]) for topic in answer.topics]


def cursor(answer: Any) -> tuple[str, int] | None:
    found = answer.next_cursor
    return (found.topic_name, found.partition_index) if found else None


def test_no_names_means_all_topics_in_order(node: Assembled) -> None:
    answer = page(node)
    assert told(answer) == [("audit", [0]), ("orders", [0, 1, 2, 3, 4]), ("payments", [0, 1])]
    assert cursor(answer) is None


def test_pages_go_on_where_the_last_one_ended(node: Assembled) -> None:
    pages, start = [], None
    for _ in range(10):
        answer = page(node, limit=3, start=start)
        pages.append(told(answer))
        start = cursor(answer)
        if start is None:
            break
    assert pages == [
        [("audit", [0]), ("orders", [0, 1])],
        [("orders", [2, 3, 4])],
        [("payments", [0, 1])],
    ]


def test_the_cursor_may_stand_at_a_topic_that_is_gone(node: Assembled) -> None:
    assert told(page(node, start=("deleted", 7))) == [("orders", [0, 1, 2, 3, 4]), ("payments", [0, 1])]


def test_the_node_limits_a_page_too(tmp_path: Path) -> None:
    node = Assembled(tmp_path, {"max.request.partition.size.limit": "2"})
    topic = CreatableTopic(name="orders", num_partitions=3, replication_factor=1)
    node.ask(CreateTopicsRequest(topics=[topic]), 7)
    assert cursor(page(node)) == ("orders", 2)


def test_a_topic_that_does_not_exist_is_told_among_the_others(node: Assembled) -> None:
    answer = page(node, "payments", "nothing")
    assert [(topic.name, topic.error_code) for topic in answer.topics] == [
        ("nothing", errors.UNKNOWN_TOPIC_OR_PARTITION),
        ("payments", errors.NONE),
    ]


def test_the_lists_that_java_reads_unseen_are_never_null(node: Assembled) -> None:
    [topic] = page(node, "audit").topics
    [partition] = topic.partitions
    assert partition.eligible_leader_replicas == partition.last_known_elr == partition.offline_replicas == []
    assert (partition.leader_id, partition.replica_nodes, partition.isr_nodes) == (NODE, [NODE], [NODE])
    assert topic.topic_authorized_operations == 0b110111111000

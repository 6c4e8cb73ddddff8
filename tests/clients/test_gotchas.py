"""Small promises of the protocol that clients break on when they are not kept, and where each of them is tested.

Found by running clients against brokers that do not keep them. The table is checked: each test in it exists.

    Rule                                                     Who breaks otherwise, and the tests that hold it
    -------------------------------------------------------  ------------------------------------------------------
    Produce is advertised from version 0, and 0 to 2 are     librdkafka before 2.11.1 stops compressing, silently
    refused                                                    clients/test_gotchas.py::test_an_old_librdkafka_compresses
                                                               clients/test_gotchas.py::test_old_produce_requests_are_hung_up_on
    All lower bounds are Apache's                            the same, with groups, SASL and idempotence
                                                               broker/test_api_versions.py::test_ranges_are_exactly_apaches
                                                               clients/test_groups.py::test_two_members_share_and_when_one_leaves_the_other_goes_on
    CreateTopics lists configs, none from source 0           Java's Admin and Connect throw
                                                               broker/test_create_topics.py::test_java_finds_a_list_of_configs_with_real_sources
                                                               clients/test_java_admin.py::test_java_s_admin_client_hardly_sees_a_difference
    DescribeTopicPartitions has no null lists                Java's describeTopics throws
                                                               broker/test_describe_topic_partitions.py::test_the_lists_that_java_reads_unseen_are_never_null
    OffsetForLeaderEpoch has version 2                       librdkafka speaks no other, and skips its check
                                                               broker/test_offset_for_leader_epoch.py::test_an_epoch_ends_where_the_next_begins
    ApiVersions: the answer's header is that of version 0,   everybody
    a version from the future is answered in version 0         broker/test_api_versions.py::test_the_answers_header_is_that_of_version_0_in_every_version
                                                               broker/test_api_versions.py::test_a_version_from_the_future_is_answered_in_the_form_of_version_0
    Metadata creates a topic when that is allowed            librdkafka and kafka-python
                                                               clients/test_round_trip.py::test_a_topic_comes_into_being_when_it_is_written_to
    Metadata by id counts no names                           Java sends an empty name with each id
                                                               broker/test_metadata.py::test_names_beside_ids_do_not_count_and_create_nothing
    DescribeCluster has version 1                            kafka-python's describe_cluster
                                                               clients/test_gotchas.py::test_kafka_python_describes_the_cluster
    Fetch inside a batch returns the whole batch             consumers that seek
                                                               broker/test_fetch.py::test_an_offset_inside_a_batch_returns_the_whole_batch
                                                               clients/test_seek.py::test_any_offset_can_be_the_first
    Metadata of a commit comes back                          whoever keeps a note there
                                                               clients/test_gotchas.py::test_a_note_beside_a_commit_comes_back
    DescribeConfigs tells defaults                           tools that show what holds
                                                               broker/test_describe_configs.py::test_a_topics_values_and_where_they_come_from
                                                               peers/test_scripts.py::test_kafka_configs_of_a_topic
    Times find offsets                                       consumers that go back in time
                                                               clients/test_seek.py::test_a_time_finds_the_first_record_not_before_it
    max.message.bytes holds                                  whoever relies on it
                                                               clients/test_round_trip.py::test_a_record_too_large_for_the_topic_is_refused_by_name
    A record without key is refused where a topic compacts,  producers that want to know which
    and named                                                  broker/test_produce.py::test_a_keyless_record_in_a_compacted_topic_is_named
                                                               clients/test_settings.py::test_a_topic_that_begins_to_compact_takes_only_records_with_keys
    transaction.timeout.ms is checked                        comes with transactions
"""  # noqa: E501

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from clients.conftest import MakeTopic, create_topic
from kafka import KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka.admin import KafkaAdminClient
from support.clients import Client, Message, Sending, produce
from support.engines import Node, started
from support.live_server import Client as Raw

from logctl.wire.compression import NAMES
from logctl.wire.records import iter_batches, read_header

pytestmark = pytest.mark.on_both


def test_every_test_in_the_table_exists() -> None:
    named = re.findall(r"(\w+/\w+\.py)::(\w+)", __doc__)
    assert len(named) > 20
    tests = Path(__file__).parents[1]
    assert [one for one in named if f"def {one[1]}(" not in (tests / one[0]).read_text(encoding="utf-8")] == []


@pytest.fixture(scope="module")
def own(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Node, Path]]:
    """A node and where its files are."""
    folder = tmp_path_factory.mktemp(f"gotchas-{engine}")
    with started(engine, folder) as node:
        yield node, folder


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
def test_an_old_librdkafka_compresses(own: tuple[Node, Path], cast: Callable[[str], Client], codec: str) -> None:
    """kcat is linked with one that looks at the lowest version of Produce before it compresses."""
    node, folder = own
    create_topic(node.address, codec)
    produce(cast("kcat"), node.address, codec, [Message(b"." * 5000)], sending=Sending(codec=codec))
    [log] = folder.rglob(f"{codec}-0/*.log")
    [batch] = iter_batches(memoryview(log.read_bytes()))
    assert NAMES[read_header(batch).compression] == codec


@pytest.mark.parametrize("version", [0, 1, 2])
def test_old_produce_requests_are_hung_up_on(bootstrap: str, version: int) -> None:
    """Acks, timeout, no topics: nothing else in it can be objected to."""
    with closing(Raw(int(bootstrap.rpartition(":")[2]))) as raw:
        frame = struct.pack(">hhih", 0, version, 1, -1) + struct.pack(">hii", 1, 1000, 0)
        raw.sock.sendall(struct.pack(">i", len(frame)) + frame)
        assert raw.is_closed()


def test_kafka_python_describes_the_cluster(bootstrap: str) -> None:
    with closing(KafkaAdminClient(bootstrap_servers=bootstrap)) as admin:
        told = admin.describe_cluster()
    host, _, port = bootstrap.rpartition(":")
    assert told["controller_id"] == 1
    assert [(one["broker_id"], one["host"], one["port"]) for one in told["brokers"]] == [(1, host, int(port))]


def test_a_note_beside_a_commit_comes_back(bootstrap: str, make_topic: MakeTopic) -> None:
    where = TopicPartition(make_topic(), 0)
    notes = ["", "where I was: ümlaut, 既視感", "x" * 4096]
    for offset, note in enumerate(notes):
        with closing(KafkaConsumer(bootstrap_servers=bootstrap, group_id=where.topic)) as consumer:
            consumer.assign([where])
            consumer.commit({where: OffsetAndMetadata(offset, note, -1)})
        with closing(KafkaConsumer(bootstrap_servers=bootstrap, group_id=where.topic)) as consumer:
            found = consumer.committed(where, metadata=True)
            assert (found.offset, found.metadata) == (offset, note)

"""StreamsGroupTopology: what the application of a Streams group computes, type 23 (__consumer_offsets)."""

from __future__ import annotations

from logctl.wire.schema import INT16, INT32, STRING, Message, Struct, array, field


class StreamsGroupTopologyKey(Message, api_key=23, versions="0"):
    group_id: str = field(STRING, "0")  # group


class TopicConfig(Struct):
    key: str = field(STRING, "0+")    # configuration key
    value: str = field(STRING, "0+")  # its value


class TopicInfo(Struct):
    name: str = field(STRING, "0+")                                     # internal topic
    partitions: int = field(INT32, "0+")                                # how many; 0 leaves it to the coordinator
    replication_factor: int = field(INT16, "0+")                        # how many replicas; 0 for the broker's default
    topic_configs: list[TopicConfig] = field(array(TopicConfig), "0+")  # settings to create it with


class CopartitionGroup(Struct):
    source_topics: list[int] = field(array(INT16), "0+")              # places in the subtopology's source_topics
    source_topic_regex: list[int] = field(array(INT16), "0+")         # places in its source_topic_regex
    repartition_source_topics: list[int] = field(array(INT16), "0+")  # places in its repartition_source_topics


class Subtopology(Struct):
    subtopology_id: str = field(STRING, "0+")  # subtopology, connected part of the application's processing graph
    source_topics: list[str] = field(array(STRING), "0+")  # topics it reads
    source_topic_regex: list[str] = field(array(STRING), "0+")  # patterns of topics it reads
    # internal topics that back its state stores
    state_changelog_topics: list[TopicInfo] = field(array(TopicInfo), "0+")
    repartition_sink_topics: list[str] = field(array(STRING), "0+")  # internal topics it writes for others
    repartition_source_topics: list[TopicInfo] = field(array(TopicInfo), "0+")  # internal topics it reads
    # source topics that need the same number of partitions
    copartition_groups: list[CopartitionGroup] = field(array(CopartitionGroup), "0+")


class StreamsGroupTopologyValue(Message, api_key=23, versions="0", flexible="0+"):
    epoch: int = field(INT32, "0+")                                     # raised when the topology changes
    subtopologies: list[Subtopology] = field(array(Subtopology), "0+")  # its connected parts

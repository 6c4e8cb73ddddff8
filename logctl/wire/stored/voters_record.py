"""VotersRecord: voters of the metadata quorum from here on, a control record (KIP-853)."""

from __future__ import annotations

from logctl.wire.schema import INT16, INT32, STRING, UINT16, UUID, Message, Struct, array, field


class Endpoint(Struct):
    name: str = field(STRING, "0+")  # listener
    host: str = field(STRING, "0+")  # host name or address
    port: int = field(UINT16, "0+")  # TCP port


class KRaftVersionFeature(Struct):
    min_supported_version: int = field(INT16, "0+")  # lowest kraft.version it supports
    max_supported_version: int = field(INT16, "0+")  # highest kraft.version it supports


class Voter(Struct):
    voter_id: int = field(INT32, "0+")                                             # voter
    voter_directory_id: bytes = field(UUID, "0+")                                  # voter's log directory; zero unknown
    endpoints: list[Endpoint] = field(array(Endpoint), "0+")                       # where it can be reached
    kraft_version_feature: KRaftVersionFeature = field(KRaftVersionFeature, "0+")  # range of kraft.version it supports


class VotersRecord(Message, versions="0", flexible="0+"):
    version: int = field(INT16, "0+")                # of this record
    voters: list[Voter] = field(array(Voter), "0+")  # all of them

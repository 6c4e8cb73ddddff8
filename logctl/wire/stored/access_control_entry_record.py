"""AccessControlEntryRecord: an access control entry was added (metadata log). The codes are listed at DescribeAcls."""

from __future__ import annotations

from logctl.wire.schema import INT8, STRING, UUID, Message, field


class AccessControlEntryRecord(Message, api_key=18, versions="0", flexible="0+"):
    id: bytes = field(UUID, "0+")             # names the entry
    resource_type: int = field(INT8, "0+")    # code of the resource type
    resource_name: str = field(STRING, "0+")  # name or prefix
    pattern_type: int = field(INT8, "0+")     # 3 literal, 4 prefixed
    principal: str = field(STRING, "0+")      # who, e.g. "User:alice"
    host: str = field(STRING, "0+")           # from where; "*" anywhere
    operation: int = field(INT8, "0+")        # code of the operation
    permission_type: int = field(INT8, "0+")  # 2 deny, 3 allow

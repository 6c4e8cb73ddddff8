"""CreateAcls (key 30): add access control entries. The codes are listed at DescribeAcls.

1   pattern types (KIP-290); baseline
2   flexible
3   resource type user
"""

from __future__ import annotations

from logctl.wire.schema import INT8, INT16, INT32, STRING, Message, Struct, array, field


class AclCreation(Struct):
    resource_type: int = field(INT8, "0+")                     # code of the resource type
    resource_name: str = field(STRING, "0+")                   # name or prefix
    resource_pattern_type: int = field(INT8, "1+", default=3)  # 3 literal, 4 prefixed
    principal: str = field(STRING, "0+")                       # who, e.g. "User:alice"
    host: str = field(STRING, "0+")                            # from where; "*" anywhere
    operation: int = field(INT8, "0+")                         # code of the operation
    permission_type: int = field(INT8, "0+")                   # 2 deny, 3 allow


class CreateAclsRequest(Message, api_key=30, versions="1-3", flexible="2+"):
    creations: list[AclCreation] = field(array(AclCreation), "0+")  # entries to add


class AclCreationResult(Struct):
    error_code: int = field(INT16, "0+")  # 0, or what went wrong
    # in words; null when nothing went wrong or nothing is to be added
    error_message: str | None = field(STRING, "0+", nullable="0+")


class CreateAclsResponse(Message, api_key=30, versions="1-3", flexible="2+"):
    throttle_time_ms: int = field(INT32, "0+")  # how long the quota delayed, or is to delay, this client
    results: list[AclCreationResult] = field(array(AclCreationResult), "0+")  # one per entry, in their order

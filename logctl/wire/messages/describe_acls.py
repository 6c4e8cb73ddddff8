"""DescribeAcls (key 29): access control entries that match a filter.

Asked by admin tools. Codes: resource type 1 any, 2 topic, 3 group, 4 cluster, 5 transactional id, 6 delegation
token, 7 user; pattern type 1 any, 2 match, 3 literal, 4 prefixed; operation 1 any, 2 all, 3 read, 4 write, 5 create,
6 delete, 7 alter, 8 describe, 9 cluster action, 10 describe configs, 11 alter configs, 12 idempotent write, 13
create tokens, 14 describe tokens, 15 two-phase commit; permission 1 any, 2 deny, 3 allow.

1   pattern types (KIP-290); baseline
2   flexible
3   resource type user
"""

from __future__ import annotations

from logctl.wire.schema import INT8, INT16, INT32, STRING, Message, Struct, array, field


class DescribeAclsRequest(Message, api_key=29, versions="1-3", flexible="2+"):
    resource_type_filter: int = field(INT8, "0+")  # code of the resource type; 1 any
    resource_name_filter: str | None = field(STRING, "0+", nullable="0+")  # name; null any
    # code of the pattern type; 2 also finds the patterns that the name falls under
    pattern_type_filter: int = field(INT8, "1+", default=3)
    principal_filter: str | None = field(STRING, "0+", nullable="0+")  # e.g. "User:alice"; null any
    host_filter: str | None = field(STRING, "0+", nullable="0+")  # address; null any
    operation: int = field(INT8, "0+")  # code of the operation; 1 any
    permission_type: int = field(INT8, "0+")  # code of the permission; 1 any


class AclDescription(Struct):
    principal: str = field(STRING, "0+")      # who, e.g. "User:alice"
    host: str = field(STRING, "0+")           # from where; "*" anywhere
    operation: int = field(INT8, "0+")        # code of the operation
    permission_type: int = field(INT8, "0+")  # 2 deny, 3 allow


class DescribeAclsResource(Struct):
    resource_type: int = field(INT8, "0+")                           # code of the resource type
    resource_name: str = field(STRING, "0+")                         # name or prefix
    pattern_type: int = field(INT8, "1+", default=3)                 # 3 literal, 4 prefixed
    acls: list[AclDescription] = field(array(AclDescription), "0+")  # its entries


class DescribeAclsResponse(Message, api_key=29, versions="1-3", flexible="2+"):
    throttle_time_ms: int = field(INT32, "0+")  # how long the quota delayed, or is to delay, this client
    error_code: int = field(INT16, "0+")  # 0, or what went wrong
    # in words; null when nothing went wrong or nothing is to be added
    error_message: str | None = field(STRING, "0+", nullable="0+")
    resources: list[DescribeAclsResource] = field(array(DescribeAclsResource), "0+")  # entries that match, by resource

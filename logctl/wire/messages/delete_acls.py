"""DeleteAcls (key 31): remove the access control entries that match filters. The codes are listed at DescribeAcls.

1   pattern types (KIP-290); baseline
2   flexible
3   resource type user
"""

from __future__ import annotations

from logctl.wire.schema import INT8, INT16, INT32, STRING, Message, Struct, array, field


class DeleteAclsFilter(Struct):
    resource_type_filter: int = field(INT8, "0+")  # code of the resource type; 1 any
    resource_name_filter: str | None = field(STRING, "0+", nullable="0+")  # name; null any
    # code of the pattern type; 2 also finds the patterns that the name falls under
    pattern_type_filter: int = field(INT8, "1+", default=3)
    principal_filter: str | None = field(STRING, "0+", nullable="0+")  # e.g. "User:alice"; null any
    host_filter: str | None = field(STRING, "0+", nullable="0+")  # address; null any
    operation: int = field(INT8, "0+")  # code of the operation; 1 any
    permission_type: int = field(INT8, "0+")  # code of the permission; 1 any


class DeleteAclsRequest(Message, api_key=31, versions="1-3", flexible="2+"):
    filters: list[DeleteAclsFilter] = field(array(DeleteAclsFilter), "0+")  # entries that match any of these go


class DeleteAclsMatchingAcl(Struct):
    error_code: int = field(INT16, "0+")  # 0, or what went wrong
    # in words; null when nothing went wrong or nothing is to be added
    error_message: str | None = field(STRING, "0+", nullable="0+")
    resource_type: int = field(INT8, "0+")  # code of the resource type
    resource_name: str = field(STRING, "0+")  # name or prefix
    pattern_type: int = field(INT8, "1+", default=3)  # 3 literal, 4 prefixed
    principal: str = field(STRING, "0+")  # who, e.g. "User:alice"
    host: str = field(STRING, "0+")  # from where; "*" anywhere
    operation: int = field(INT8, "0+")  # code of the operation
    permission_type: int = field(INT8, "0+")  # 2 deny, 3 allow


class DeleteAclsFilterResult(Struct):
    error_code: int = field(INT16, "0+")  # 0, or what went wrong
    # in words; null when nothing went wrong or nothing is to be added
    error_message: str | None = field(STRING, "0+", nullable="0+")
    # entries that were removed, or failed to be
    matching_acls: list[DeleteAclsMatchingAcl] = field(array(DeleteAclsMatchingAcl), "0+")


class DeleteAclsResponse(Message, api_key=31, versions="1-3", flexible="2+"):
    throttle_time_ms: int = field(INT32, "0+")  # how long the quota delayed, or is to delay, this client
    # one per filter, in their order
    filter_results: list[DeleteAclsFilterResult] = field(array(DeleteAclsFilterResult), "0+")

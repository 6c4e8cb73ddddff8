"""RemoveAccessControlEntryRecord: an access control entry was removed (metadata log)."""

from __future__ import annotations

from logctl.wire.schema import UUID, Message, field


class RemoveAccessControlEntryRecord(Message, api_key=19, versions="0", flexible="0+"):
    id: bytes = field(UUID, "0+")  # names the entry

"""ControlRecordTypeSchema: key of a control record, behind its version, an int16."""

from __future__ import annotations

from logctl.wire.schema import INT16, Message, field


class ControlRecordTypeSchema(Message, versions="0"):
    # 0 abort, 1 commit, 2 leader change, 3 snapshot header, 4 snapshot footer, 5 kraft version, 6 voters
    type: int = field(INT16, "0+")

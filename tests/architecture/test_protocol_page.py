"""docs/protocol.md says what the handlers say."""

from __future__ import annotations

from pathlib import Path

from support.protocol_page import page

PAGE = Path(__file__).parents[2] / "docs" / "protocol.md"


def test_the_protocol_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), (
        "write it anew with: python tests/support/protocol_page.py > docs/protocol.md"
    )

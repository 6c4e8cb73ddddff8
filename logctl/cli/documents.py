"""Writing documents that other commands read again: YAML or JSON on stdout, nothing around it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from logctl.cli import output
from logctl.cli.output import Format
from logctl.errors import UsageError

DocumentForm = Annotated[Format, typer.Option("-o", "--output", metavar="yaml|json", help="How to write it.")]


def write_document(document: Mapping[str, Any], form: Format) -> None:
    """Raises UsageError for a form that cannot be read again."""
    if form not in (Format.YAML, Format.JSON):
        raise UsageError(f"-o {form.value}: a document to be read again is yaml or json")
    output.write(output.as_json(document) if form is Format.JSON else output.as_yaml(document))

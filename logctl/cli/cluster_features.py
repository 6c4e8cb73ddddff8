"""logctl cluster features, feature-upgrade, feature-downgrade, feature-disable."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypedDict

import typer

from logctl.cli.command import changing, reading
from logctl.cli.output import Column, Listing, View
from logctl.errors import UsageError

if TYPE_CHECKING:
    from logctl.admin.operation import Operation
    from logctl.cli.session import Session


def register_features(cluster: typer.Typer) -> None:
    """Add the commands about feature levels."""
    cluster.command("features")(features_command)
    cluster.command("feature-upgrade")(upgrade_command)
    cluster.command("feature-downgrade")(downgrade_command)
    cluster.command("feature-disable")(disable_command)


class FeatureItem(TypedDict):
    name: str
    lowest: Annotated[int | None, "lowest level that every broker can run; null where they have none in common"]
    highest: int | None
    level: Annotated[int, "what the cluster runs; 0 for none"]
    release: Annotated[str | None, "name of the level, for metadata.version"]
    can_rise: Annotated[bool, "the brokers could run more than is agreed on"]


class OfFeatures(TypedDict):
    cluster_id: str | None
    epoch: Annotated[int | None, "counts changes of levels"]


FEATURES = Listing(
    "features",
    FeatureItem,
    (
        Column("FEATURE", lambda one: one["name"]),
        Column("LEVEL", lambda one: one["level"], number=True),
        Column("RELEASE", lambda one: one["release"] or "-"),
        Column("LOWEST", lambda one: "-" if one["lowest"] is None else one["lowest"], number=True),
        Column("HIGHEST", lambda one: "-" if one["highest"] is None else one["highest"], number=True),
        Column("CAN-RISE", lambda one: "yes" if one["can_rise"] else "no"),
    ),
    also=OfFeatures,
)


@reading(FEATURES)
def features_command(session: Session) -> View:
    """Show feature levels: what the cluster runs, and what its brokers could run.

    Replaces kafka-features describe.

    \b
    Example:
      logctl cluster features
    """
    from logctl.admin.features import METADATA_VERSION, list_features, release_of

    found = list_features(session.cluster, session.deadline)
    items: list[FeatureItem] = [
        {
            "name": one.name,
            "lowest": one.lowest,
            "highest": one.highest,
            "level": one.level,
            "release": release_of(one.level) if one.name == METADATA_VERSION else None,
            "can_rise": one.highest is not None and one.highest > one.level,
        }
        for one in found.found
    ]
    return FEATURES.view(items, found.failures, cluster_id=found.cluster_id, epoch=found.epoch)


Levels = Annotated[
    list[str] | None,
    typer.Argument(metavar="FEATURE=LEVEL...", help="Levels; of metadata.version also 4.2-IV1 or 4.2."),
]
FeatureOption = Annotated[list[str] | None, typer.Option("--feature", metavar="FEATURE=LEVEL", hidden=True)]
Release = Annotated[
    str | None,
    typer.Option(
        "--release", "--release-version", metavar="4.2", help="The levels that a new cluster of that release runs."
    ),
]
Metadata = Annotated[str | None, typer.Option("--metadata", metavar="LEVEL", hidden=True)]


@changing
def upgrade_command(
    session: Session,
    levels: Levels = None,
    named: FeatureOption = None,
    release: Release = None,
    metadata: Metadata = None,
) -> Operation:
    """Raise feature levels, once every broker can run them.

    Replaces kafka-features upgrade.

    \b
    Example:
      logctl cluster feature-upgrade --release 4.3 --dry-run
    """
    from logctl.admin.features import RAISE, ChangeFeatures

    return ChangeFeatures(_wanted(levels, named, release, metadata), RAISE, release is not None)


@changing
def downgrade_command(
    session: Session,
    levels: Levels = None,
    named: FeatureOption = None,
    release: Release = None,
    metadata: Metadata = None,
    unsafe: Annotated[
        bool, typer.Option("--unsafe", help="Even if what the lower level cannot keep is lost by it.")
    ] = False,
) -> Operation:
    """Lower feature levels.

    Replaces kafka-features downgrade.

    \b
    Example:
      logctl cluster feature-downgrade group.version=0 --dry-run
    """
    from logctl.admin.features import LOWER, LOWER_EVEN_SO, ChangeFeatures

    wanted = _wanted(levels, named, release, metadata)
    return ChangeFeatures(wanted, LOWER_EVEN_SO if unsafe else LOWER, release is not None)


@changing
def disable_command(
    session: Session,
    names: Annotated[list[str] | None, typer.Argument(metavar="FEATURE...", help="What to switch off.")] = None,
    named: Annotated[list[str] | None, typer.Option("--feature", metavar="FEATURE", hidden=True)] = None,
    unsafe: Annotated[bool, typer.Option("--unsafe", help="Even if something is lost by it.")] = False,
) -> Operation:
    """Switch features off.

    Replaces kafka-features disable.

    \b
    Example:
      logctl cluster feature-disable group.version --dry-run
    """
    from logctl.admin.features import LOWER, LOWER_EVEN_SO, ChangeFeatures

    wanted = dict.fromkeys([*(names or ()), *(named or ())], 0)
    return ChangeFeatures(wanted, LOWER_EVEN_SO if unsafe else LOWER)


def _wanted(
    pairs: list[str] | None, named: list[str] | None, release: str | None, metadata: str | None
) -> dict[str, int]:
    """Feature -> level, of everything that was said. Raises UsageError."""
    from logctl.admin.features import METADATA_VERSION, levels_of_release, metadata_level

    wanted = levels_of_release(release) if release is not None else {}
    given = [*(pairs or ()), *(named or ()), *([f"{METADATA_VERSION}={metadata}"] if metadata else [])]
    if release is not None and given:
        raise UsageError("levels are given by --release or one by one, not both")
    for pair in given:
        name, equals, level = pair.partition("=")
        if not equals or not name:
            raise UsageError(f"{pair}: a level has the form feature=level", "metadata.version=4.2-IV1")
        if name != METADATA_VERSION and not level.isdecimal():
            raise UsageError(f"{pair}: the level is a number")
        if name in wanted:
            raise UsageError(f"{name} is given twice")
        wanted[name] = metadata_level(level) if name == METADATA_VERSION else int(level)
    return wanted

"""Leadership goes back to where it is preferred, from time to time (auto.leader.rebalance.enable).

After a failover the leaders sit on the brokers that remained. Once the others are in sync again, the first replica of
each partition takes its office back; at most `MOST_AT_ONCE` at a time, so that clients do not all look for new leaders
in one moment. Partitions without a leader whose topic allows unclean elections get one in the same way.
"""

from __future__ import annotations

from itertools import islice
from typing import Any, Final

from logctl.engine.controller.changes import Place, change
from logctl.engine.controller.decision import Controller, Decision
from logctl.engine.controller.image import NO_LEADER, Image, Partition
from logctl.engine.controller.leading import Wish
from logctl.engine.controller.terms import Terms

MOST_AT_ONCE: Final = 1000


def _places(image: Image) -> Any:
    for topic in image.topics.values():
        for number, partition in topic.partitions.items():
            yield topic, number, partition


def _could_go_back(terms: Terms, partition: Partition) -> bool:
    wanted = partition.replicas[0]
    return (
        partition.leader not in (wanted, NO_LEADER)
        and wanted in partition.isr
        and terms.may_lead(partition, wanted)
    )


def give_back(controller: Controller) -> Decision[int]:
    """Preferred replicas that are in sync lead again; the answer is how many."""
    terms = Terms(controller)
    wanted = (place for place in _places(terms.image) if _could_go_back(terms, place[2]))
    return _elected(terms, wanted, Wish.PREFERRED)


def fill_leaderless(controller: Controller) -> Decision[int]:
    """Partitions that nobody leads get a leader where the rule has one for them; the answer is how many."""
    terms = Terms(controller)
    wanted = (place for place in _places(terms.image) if place[2].leader == NO_LEADER)
    return _elected(terms, wanted, Wish.KEEP)


def _elected(terms: Terms, places: Any, wish: Wish) -> Decision[int]:
    def one(place: Place) -> Any:
        topic, number, partition = place
        return change(terms, topic, number, partition, wish=wish)

    made = (record for record in map(one, places) if record is not None)
    records = list(islice(made, MOST_AT_ONCE))
    return Decision(records, len(records))

"""A secret shows itself to whoever asks for it by name, and to nobody else."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import traceback

import pytest
import yaml

from logctl.security.secrets import Secret, concealed

SECRET = Secret("correct-horse")


def test_only_revealing_it_tells_it() -> None:
    assert SECRET.reveal() == "correct-horse"
    assert {str(SECRET), repr(SECRET), f"{SECRET}", f"{SECRET!r:>3}", "%s" % SECRET} == {"(not shown)"}  # noqa: UP031


def test_it_is_not_seen_inside_other_things() -> None:
    assert "horse" not in repr({"password": SECRET, "all": [SECRET]})
    assert "horse" not in logging.makeLogRecord({"msg": "%s", "args": (SECRET,)}).getMessage()
    with pytest.raises(ValueError) as caught:
        raise ValueError(SECRET)
    assert "horse" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("write", [json.dumps, yaml.safe_dump, yaml.dump, pickle.dumps])
def test_it_is_not_written_by_accident(write: object) -> None:
    with pytest.raises(Exception) as caught:
        write({"password": SECRET})  # type: ignore[operator]
    assert "horse" not in str(caught.value)


def test_two_of_the_same_text_are_the_same() -> None:
    assert Secret("a") == Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a")}) == 1
    assert copy.deepcopy({"x": SECRET})["x"] is SECRET
    assert not Secret("")


def test_a_document_can_be_made_without_it() -> None:
    found = concealed({"user": "ann", "password": SECRET, "more": [1, (SECRET, None)]})
    assert found == {"user": "ann", "password": "(not shown)", "more": [1, ["(not shown)", None]]}
    json.dumps(found)

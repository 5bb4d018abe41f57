"""A resource's state after an operation and after a read by the upstream SDK's rules, without a server."""

from __future__ import annotations

from lab.plugins.extraction import imported, refreshed
from lab.plugins.planning import Data, plan
from lab.plugins.schema import Field, Shape

TEXT = Field("elem", "string")
SHAPE = Shape(
    "t",
    {
        "name": Field("name", "string", required=True),
        "members": Field("members", "set", elem=TEXT),
        "keys": Field("keys", "list", elem=TEXT),
        "labels": Field("labels", "map", elem=TEXT),
        "size": Field("size", "integer", default=3),
        "found": Field("found", "string", computed=True),
        "left": Field("left", "string", sticky=True),
    },
)


def applied(inputs: dict[str, object], **answer: object) -> dict[str, object]:
    data = Data(SHAPE, planned=plan(SHAPE, None, inputs), inputs=inputs)
    for name, value in answer.items():
        data.set(name, value)
    return data.state(applied=True)


def read(prior: dict[str, object], **answer: object) -> dict[str, object]:
    data = Data(SHAPE, id_="i", prior=prior)
    for name, value in answer.items():
        data.set(name, value)
    return data.state(applied=False)


def test_a_planned_set_is_in_the_state_until_the_next_read() -> None:
    """As with the official plugins, a member that the server drops shows only at a refresh."""
    state = applied({"name": "n", "members": ["b", "a"]}, members=["a"])
    assert state["members"] == ["a", "b"]
    assert read(state, members=["a"])["members"] == ["a"]


def test_sets_are_sorted() -> None:
    """The order of inputs changes neither the state nor a diff."""
    prior = {"name": "n", "members": ["b", "a"], "size": 3}
    assert plan(SHAPE, prior, {"name": "n", "members": ["a", "b", "a"]})["members"] == ["b", "a"]


def test_empty_and_unset_collections_stay_as_in_the_program() -> None:
    assert applied({"name": "n"}, keys=[], labels={}, members=[])["keys"] is None
    assert applied({"name": "n", "keys": []}, keys=None)["keys"] == []
    assert read(applied({"name": "n"}), keys=None)["keys"] == []


def test_server_values_override_the_plan_except_for_sets() -> None:
    state = applied(
        {"name": "n", "keys": ["a"], "labels": {"a": "1"}}, keys=["b"], labels={"a": 1, "c": True}, name="m"
    )
    assert (state["keys"], state["labels"], state["name"]) == (["b"], {"a": "1", "c": "true"}, "m")


def test_unset_properties() -> None:
    prior = {"name": "n", "found": "x", "left": "manual", "size": 5, "keys": ["a"]}
    planned = plan(SHAPE, prior, {"name": "n"})
    assert (planned["found"], planned["left"], planned["size"], planned["keys"]) == ("x", "manual", 3, None)


def test_a_refresh_updates_the_programs_values_and_keeps_defaults() -> None:
    inputs = {"name": "n", "size": 3, "labels": {"a": "1"}, "left": "x", "__defaults": ["size", "left"]}
    outputs = {"name": "n", "size": 4, "labels": {"a": "2", "theirs": "1"}, "left": "x", "found": "y"}
    assert refreshed(SHAPE.fields, inputs, outputs) == {
        "name": "n", "size": 4, "labels": {"a": "2"}, "left": "x", "__defaults": ["left"],
    }  # fmt: skip


def test_an_import_omits_defaults() -> None:
    outputs = {"name": "", "size": 3, "keys": [], "labels": {"a": "1"}, "found": "y"}
    assert imported(SHAPE.fields, outputs) == {
        "name": "", "labels": {"a": "1", "__defaults": []}, "found": "y", "__defaults": [],
    }  # fmt: skip

"""Reads OpenLineage's events from stdin, an array, and builds each from the classes that OpenLineage generates from its published schema.
What these do not know, or require and do not get, ends it with an error. Prints how many events and facets it has built."""

import enum
import importlib
import inspect
import json
import pkgutil
import sys
import types
import typing

import attr
from openlineage.client import generated
from openlineage.client.generated.base import RunEvent


def published():
    for module in pkgutil.iter_modules(generated.__path__):
        module = importlib.import_module(f"{generated.__name__}.{module.name}")
        for name, kind in inspect.getmembers(module, attr.has):
            if kind.__module__ == module.__name__ and hasattr(kind, "_get_schema"):
                yield kind._get_schema(), kind


CLASSES = dict(published())
FACETS = []


def build(kind, value):
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        [kind] = [one for one in typing.get_args(kind) if one is not type(None)]
    if typing.get_origin(kind) is list:
        assert isinstance(value, list), value
        return [build(typing.get_args(kind)[0], one) for one in value]
    if typing.get_origin(kind) is dict:
        return {name: facet(one) for name, one in value.items()}
    if attr.has(kind):
        hints = typing.get_type_hints(kind)
        return kind(**{name: build(hints[name], one) for name, one in value.items()})
    if issubclass(kind, enum.Enum):
        return kind(value)
    assert isinstance(value, kind), f"{value!r} is no {kind}"
    return value


def facet(value):
    fields = {name: one for name, one in value.items() if name not in ("_producer", "_schemaURL")}
    assert value["_producer"], value
    FACETS.append(value["_schemaURL"])
    return build(CLASSES[value["_schemaURL"]], fields)


events = json.load(sys.stdin)
for event in events:
    assert event.pop("schemaURL") == RunEvent._get_schema(), event
    build(RunEvent, event)
print(len(events), "events", len(FACETS), "facets")

"""Which schemas a statement names; what counts is held by the cases of tests/fleet/test_naming.py."""

from __future__ import annotations

from wflo_schema.files.creations import parse_one
from wflo_schema.files.places import CHANGES, SCHEMA_FIELDS


def test_every_node_that_is_looked_into_is_one_of_the_parsers() -> None:
    parsed = parse_one("SELECT 1")
    assert parsed is not None
    node = next(f for f in parsed[1].DESCRIPTOR.fields if f.name == "target_list").message_type
    kinds = {f.name: f.message_type for f in node.oneofs_by_name["node"].fields}
    for kind, paths in CHANGES.items():
        for path in paths:
            here = kinds[kind]
            for name in path.split("."):
                here = here.fields_by_name[name].message_type
    for kind, field in SCHEMA_FIELDS.items():
        assert field in kinds[kind].fields_by_name

"""Which schemas of a large database a rehearsal needs.  Hides how schemas hang together, by the texts in them.

Where nothing that is kept names a schema, and nothing in it names what is kept, no statement can reach it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable

from wflo_schema.catalog.objects import GLOBAL, Catalog

# With fewer tables all are made: it takes no time.
_FEW_TABLES = 200

# A file that looks into the catalogs may go through whatever is there.
_LOOKS = re.compile(
    rb"\b(?:information_schema|pg_\w+|current_schemas?|ALL\s+IN\s+TABLESPACE|OWNED|REINDEX|VACUUM|CLUSTER|ANALYZE)\b",
    re.IGNORECASE,
)
_WORD = re.compile(r'"(?:[^"]|"")+"|\w+')


def unneeded_schemas(catalog: Catalog, sources: Collection[bytes], roots: Collection[str]) -> frozenset[str]:
    """The schemas that files with these texts, run where ``roots`` are the search_path, cannot reach."""
    tables = sum(o.kind == "table" for o in catalog.objects)
    return frozenset() if tables < _FEW_TABLES else unreached_schemas(catalog, sources, roots)


def unreached_schemas(catalog: Catalog, sources: Collection[bytes], roots: Collection[str]) -> frozenset[str]:
    """The same however few tables there are."""
    schemas = {o.path[0] for o in catalog.objects if o.kind == "schema"}
    if any(_LOOKS.search(source) for source in sources):
        return frozenset()
    together: dict[str, set[str]] = defaultdict(set)
    kept = {"public", *roots} | _named((source.decode("utf-8", "replace") for source in sources), schemas)
    for o in catalog.objects:
        named = _named((text for _, text in o.attributes), schemas)
        if o.kind in GLOBAL or not o.path:
            kept |= named if o.kind != "schema" else set()
        else:
            for other in named - {o.path[0]}:
                together[o.path[0]].add(other)
                together[other].add(o.path[0])
    waiting = list(kept)
    while waiting:
        fresh = together[waiting.pop()] - kept
        kept |= fresh
        waiting += fresh
    return frozenset(schemas - kept)


def _named(texts: Iterable[str], schemas: Collection[str]) -> set[str]:
    return {
        word
        for text in texts
        for found in _WORD.findall(text)
        if (word := found[1:-1].replace('""', '"') if found[0] == '"' else found) in schemas
        or (word := word.lower()) in schemas
    }

"""Which databases are production's, so that nothing is put into them by mistake.

Hides who may say so: the database itself, in its comment, the contract by names, and the project's settings.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase

import psycopg

from wflo_schema.connect.database import Database, database_error
from wflo_schema.connect.queries import load_sql
from wflo_schema.errors import Refused

# What a database says of itself, anywhere in its comment.  Unlike a setting of its own, a comment needs no superuser,
# and no copy of the database has it.
MARK = "wflo-schema: production"
_MARK = re.compile(r"\bwflo-schema:\s*production\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Production:
    """What is known of production before a database is asked.

    ``names`` are the contract's: ``DATABASE`` or ``HOST/DATABASE``, as patterns of a shell; ``path`` is the contract.
    ``said``: who says that this database is production's, whatever it is called, empty where nobody does.
    """

    names: tuple[str, ...] = ()
    path: str = "contract.toml"
    said: str = ""


def refuse_production(database: Database, known: Production, doing: str) -> None:
    """Raise `Refused` where a database is production's.  ``doing`` is what it is spared: ``seeds``.

    The database is asked, too: what it says of itself holds through every tunnel, pooler and alias.
    """
    if known.said:
        raise _refused(database, known.said, doing)
    try:
        with database.connect() as connection:
            row = connection.execute(load_sql("engine", "production")).fetchone()
            info = connection.info
            reached = {info.host, info.hostaddr, *database.parameters.get("host", "").split(",")}
            port = info.port
    except psycopg.Error as error:
        raise database_error(error, "asking whether the database is production's") from error
    name, said = row if row is not None else (database.name, None)
    if _MARK.search(said or ""):
        raise _refused(database, f"its comment says {MARK}", doing)
    called = {one.lower() for one in (name, database.name)}
    places = {f"{host}{at}/{one}".lower() for host in reached for at in ("", f":{port}") for one in called}
    for pattern in known.names:
        if any(fnmatchcase(one, pattern.lower()) for one in (places if "/" in pattern else called)):
            raise _refused(database, f'{known.path} says production = ["{pattern}"]', doing)


def _refused(database: Database, said: str, doing: str) -> Refused:
    return Refused(
        f"{database.label} is production's: {said}",
        hint=f"name another database; or, if {doing} are meant for it, add --allow production",
        case="production",
    )

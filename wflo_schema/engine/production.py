"""Which databases are production's, so that nothing is put into them by mistake.

Hides who may say so: a setting of the database itself, the contract by names, and the project's settings.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

import psycopg

from wflo_schema.connect.database import Database, database_error
from wflo_schema.connect.queries import load_sql
from wflo_schema.errors import Refused

# The setting by which a database says it of itself.
SETTING = "wflo_schema.production"

_NO = frozenset({"", "off", "false", "no", "0", "f", "n"})


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
    name, mark = row if row is not None else (database.name, None)
    if mark is not None and mark.lower() not in _NO:
        raise _refused(database, f"its setting {SETTING} is {mark}", doing)
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

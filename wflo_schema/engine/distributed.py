"""Citus: what it does otherwise where the ledger is written and a transaction waits, and what it is told instead.

Hides that a statement that names a distributed table runs on that table's worker as a whole, so that a lock or a
setting in it would be that session's and nobody's here; what Citus refuses in such a statement; and that its workers
hear nothing of our lock timeout unless they are told.  Whether the ledger is distributed does not matter: what is sent
fits both.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import replace

from psycopg import sql

from wflo_schema.connect.pipeline import Command, ServerError
from wflo_schema.connect.queries import load_sql

_PARAMETER = re.compile(r"\$(\d+)")

# From one to the other, SET LOCAL holds in what the transaction does on workers as well.
_TELL_WORKERS = Command("SET LOCAL citus.propagate_set_commands = 'local'")
_TELL_NO_MORE = Command("SET LOCAL citus.propagate_set_commands TO DEFAULT")

# What a coordinator says that hands on what it was told, and what it is told of a worker that goes away.
_WORKER = re.compile(r"while executing command on (?P<name>\S+:\d+)")
_GONE = re.compile(r"server closed the connection|connection not open|terminating connection|database system is")

# connection_failure
_LOST = "08006"

# What Citus refuses in a transaction that has worked on several shards at once.
_PARALLEL = re.compile(r"parallel (?:operation|DML|DDL|query|access)|multi_shard_modify_mode")

_DISTRIBUTES = "SET LOCAL citus.enable_schema_based_sharding"


def block(name: str, schema: str, values: Sequence[str | None]) -> Command:
    """One command that runs a query of several statements on the ledger of this schema, each by itself.

    ``values`` stand for $1, $2 …, and are written out: a DO has no parameters.
    """
    return _filled(_text(name, schema), values)


def sealing_block(look: str, values: Sequence[str | None], *, is_last: bool) -> Command:
    """One command that runs a look at the ledger, and then, where it ``is_last``, ends all writing here.

    COMMIT stays synchronous: a worker that has committed must not be ahead of a coordinator that crashes.
    """
    text = _code("citus_seal").replace("{look}", look).replace("{read_only}", "on" if is_last else "off")
    return _filled(text, values)


def telling_workers(setting: Command) -> list[Command]:
    """A SET LOCAL that holds on the workers, too."""
    return [_TELL_WORKERS, setting, _TELL_NO_MORE]


def making_schema(name: str, *, has_citus: bool, is_tenant: bool | None) -> list[str]:
    """What makes a schema, in a transaction, where it is not there.

    On Citus ``is_tenant`` says whether its tables are to be distributed, as those of a tenant; None: as the setting
    citus.enable_schema_based_sharding of the database, the role or the URL says.
    """
    create = f"CREATE SCHEMA IF NOT EXISTS {sql.Identifier(name).as_string()}"
    if not has_citus or is_tenant is None:
        return [create]
    return [f"{_DISTRIBUTES} = {'on' if is_tenant else 'off'}", create, f"{_DISTRIBUTES} TO DEFAULT"]


@functools.cache
def on_all_nodes(name: str) -> str:
    """A query of the connection that watches ours; of who waits on a worker it tells, too, where nobody does here."""
    here = _code(name)
    if name == "activity":
        return load_sql("engine", "citus_activity").replace("{here}", here)
    if name == "behind":
        return load_sql("engine", "citus_behind").replace("{here}", here)
    return here


@functools.lru_cache(512)
def _text(name: str, schema: str) -> str:
    return _code(name).replace("{schema}", sql.Identifier(schema).as_string())


@functools.cache
def _code(name: str) -> str:
    """A query without the comments at its beginning."""
    return re.sub(r"\A(?:--.*\n)+", "", load_sql("engine", name))


def _filled(text: str, values: Sequence[str | None]) -> Command:
    filled = _PARAMETER.sub(lambda found: sql.Literal(values[int(found[1]) - 1]).as_string().strip(), text)
    tag = "citus"
    while f"${tag}$" in filled:
        tag += "_"
    return Command(f"DO ${tag}$\n{filled.rstrip()}\n${tag}$")


def meant(error: ServerError) -> ServerError:
    """What an error means that a coordinator gives no code of its own: a key that is there, a lock, a lost worker.

    Behind it the session goes on, and its transaction is rolled back on all nodes.
    """
    said = error.message.partition("\n")[0]
    if error.sqlstate == "XX000" and said.startswith("duplicate key value"):
        return replace(error, sqlstate="23505")
    if error.sqlstate == "XX000" and said.startswith("could not acquire the lock required to"):
        return replace(error, sqlstate="55P03")  # the tenant is being moved
    worker = _WORKER.search(error.context)
    if worker is not None and _GONE.search(said):
        return replace(error, sqlstate=_LOST, message=f"the worker {worker['name']} was lost: {said}")
    return replace(error, message=said) if error.sqlstate == _LOST else error


def is_worker_lost(error: ServerError) -> bool:
    """Has a worker gone away, or can it not be reached?"""
    return error.sqlstate == _LOST


def distributed_remedy(error: ServerError) -> str | None:
    """What to do about an error that only Citus makes; None for any other."""
    if is_worker_lost(error):
        return (
            "bring the worker back (SELECT * FROM citus_check_cluster_node_health() shows which are there), "
            "then run it again"
        )
    if _PARALLEL.search(f"{error.message} {error.hint}"):
        return (
            "write as the first statement of the file, or of the first file that is one transaction with it: "
            "SET LOCAL citus.multi_shard_modify_mode TO 'sequential'; then run it again"
        )
    return None

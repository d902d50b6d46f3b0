"""graphile-migrate's committed migrations: their chain, their placeholders, and what stands beside them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tests.imports.laid import imported, ours, text_of
from wflo_schema.connect.database import Database
from wflo_schema.errors import BadMigrationFile
from wflo_schema.imports.operations import Import, import_folder

GMRC = """/* as init writes it: "placeholders": { ":NO": "no" } */
{
  // "pgSettings": { "search_path": "nowhere" },
  "pgSettings": { "search_path": "shop,public" },
  placeholders: { ":APP_NAME": "it's https://shop.example", ':VISITOR': "!ENV", },
  "afterReset": [ "!afterReset.sql", { "_": "command", "command": "worker --schema-only" } ],
  "afterAllMigrations": { "_": "command", "command": "pg_dump" },
}
"""


def committed(*bodies: str) -> dict[str, str]:
    """Committed migrations with these bodies, each with its hash and the one before it."""
    files, before = {}, ""
    for number, body in enumerate(bodies, 1):
        made = "sha1:" + hashlib.sha1(f"{before}\n{body.strip()}".strip().encode() + b"\n").hexdigest()
        message = "--! Message: step\n" if number % 2 else ""
        files[f"{number:06}.sql"] = f"--! Previous: {before or '-'}\n--! Hash: {made}\n{message}\n{body}"
        before = made
    return files


def notes_of(found: Import) -> str:
    return "\n".join(note for f in found.files for note in f.notes)


@pytest.mark.spread_over_servers
def test_committed_migrations_are_proven_with_settings_and_hooks(tmp_path: Path, database: Database) -> None:
    files = {
        f"migrations/committed/{name}": text
        for name, text in committed(
            "--! split: 1-current.sql\ncreate table users (id int, app text default $$:APP_NAME$$);\n",
            "--! no-transaction\ncreate index concurrently i on users (id);\n",
            "insert into users values (1, ':VISITOR');\n",
        ).items()
    } | {
        "migrations/afterReset.sql": "create schema shop;\n",
        "migrations/current.sql": "-- Enter migration here\n",
        "migrations/fixtures/f.sql": "select 1;\n",
        ".gmrc": GMRC,
    }
    found = imported(tmp_path, files, database, VISITOR="guest")
    assert found.exit_code == 0, (found.proof, notes_of(found))
    assert [m.id for m in ours(tmp_path)] == ["000000.1_afterReset", "000001_step", "000002", "000003_step"]
    first = text_of(tmp_path, "000001_step.sql")
    assert "it's https://shop.example" in first and "set_config('search_path', 'shop,public', TRUE)" in first
    assert text_of(tmp_path, "000002.sql").startswith("-- transactional: false\n")
    assert "'guest'" in text_of(tmp_path, "000003_step.sql")
    assert '"000003.sql" = "000003_step"' in text_of(tmp_path, "adopt.toml")
    left = "\n".join(found.left_out)
    for said in ("worker --schema-only", "pg_dump", "current.sql: holds nothing yet", "fixtures"):
        assert said in left


@pytest.mark.spread_over_servers
def test_sql_around_all_migrations_becomes_hooks(tmp_path: Path, database: Database) -> None:
    files = {f"migrations/committed/{n}": t for n, t in committed("create table users (id int);\n").items()} | {
        "migrations/begin.sql": "create schema if not exists shop",
        "migrations/grants.sql": "grant select on users to public; -- :APP_NAME",
        "migrations/more.sql": "comment on table users is ':APP_NAME';\n",
        "migrations/root.sql": "select 1;\n",
        ".gmrc": """{
  "pgSettings": { "search_path": "shop,public" },
  "placeholders": { ":APP_NAME": "shop" },
  "beforeAllMigrations": "begin.sql",
  "afterAllMigrations": ["grants.sql", { "_": "sql", "file": "more.sql" }, "!root.sql"],
}""",
    }
    found = imported(tmp_path, files, database)
    assert found.exit_code == 0, (found.proof, notes_of(found))
    assert [f.id for f in found.files] == ["000001_step", "hooks/after-all", "hooks/before-all"]
    assert text_of(tmp_path, "hooks/after-all.sql").endswith("comment on table users is 'shop';\n")
    assert [note.partition(": ")[2] for note in found.left_out if "root.sql" in note] == [
        "its afterAllMigrations runs !root.sql; no migration: run it yourself where it is needed"
    ]


@pytest.mark.parametrize("inner", ["", "committed/", "migrations/committed/"])
def test_the_folder_may_be_any_of_those_around(tmp_path: Path, inner: str) -> None:
    folder = "committed" if not inner else "theirs"
    root = tmp_path / folder / inner
    root.mkdir(parents=True)
    for name, text in committed("select 1;\n", "select 2;\n").items():
        (root / name).write_text(text.replace("\n", "\r\n"))
    found = import_folder(str(tmp_path / folder), tmp_path / "ours", write=True)
    assert [f.id for f in found.files] == ["000001_step", "000002"] and not notes_of(found)


def test_what_is_not_committed_and_what_has_no_value_is_said(tmp_path: Path) -> None:
    files = {f"committed/{n}": t for n, t in committed("grant select on t to :VISITOR; select now()::DATE;\n").items()}
    files |= {"current/1-one.sql": "--!include f.sql\n", "fixtures/f.sql": "select 1;\n"}
    found = imported(tmp_path, files)
    assert "the value of VISITOR is not given; give it: --set VISITOR=VALUE" in notes_of(found)
    assert "DATE is" not in notes_of(found)
    assert any("1-one.sql: is not committed" in note for note in found.left_out)


def test_a_broken_chain_is_refused_and_an_edited_file_named(tmp_path: Path) -> None:
    files = committed("select 1;\n", "select 2;\n", "select 3;\n")
    edited = files | {"000003.sql": files["000003.sql"].replace("select 3", "select 33")}
    found = imported(tmp_path, {f"committed/{n}": t for n, t in edited.items()})
    assert "000003.sql: its text is not the one that its Hash was made of" in notes_of(found)
    del files["000002.sql"]
    with pytest.raises(BadMigrationFile, match=r"000003.sql follows sha1:\w+, and before it stands sha1"):
        imported(tmp_path / "gap", {f"committed/{n}": t for n, t in files.items()})
    with pytest.raises(BadMigrationFile, match=r"000001.sql has no --! Previous:"):
        imported(tmp_path / "bare", {"committed/000001.sql": "select 1;\n"})

"""Files without a tool: an order that is named or plain to see, what takes back what, dumps, and structure files."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.imports.laid import imported, lay, ours, text_of
from wflo_schema.adopt.found import Verdict
from wflo_schema.adopt.judge import adopt_database
from wflo_schema.connect.database import Database
from wflo_schema.engine import operations
from wflo_schema.errors import BadMigrationFile, UsageError, WfloSchemaError
from wflo_schema.imports.operations import Import, import_folder
from wflo_schema.scratch.replay import ScratchOptions

A, B, C = (f"CREATE TABLE {name} (id int PRIMARY KEY);\n" for name in "abc")


def _ids(root: Path) -> list[str]:
    return [m.id for m in ours(root)]


@pytest.mark.parametrize(
    ("names", "order", "ids"),
    [
        (["1_a.sql", "2_b.sql", "10_c.sql"], "number", ["0001_a", "0002_b", "0010_c"]),
        (["1_a.sql", "2_b.sql", "10_c.sql"], "name", ["0001_10_c", "0002_1_a", "0003_2_b"]),
        (["01_a.sql", "02_b.sql", "10_c.sql"], "", ["0001_a", "0002_b", "0010_c"]),
        (["a.sql", "b.sql", "c.sql"], "name", ["0001_a", "0002_b", "0003_c"]),
        (["v1/001_a.sql", "v1/002_b.sql", "v2/001_c.sql"], "", ["0001_v1_001_a", "0002_v1_002_b", "0003_v2_001_c"]),
        (["001_a/any.sql", "002_b/thing.pgsql", "003_c/x.psql"], "", ["001_a_any", "002_b_thing", "003_c_x"]),
        (["2024-01-05 a.sql", "2024-01-05 b.sql"], "name", ["20240105_a", "20240105_b"]),
    ],
)
def test_a_bare_folder_is_read_in_the_order_that_is_named(
    tmp_path: Path, names: list[str], order: str, ids: list[str]
) -> None:
    found = imported(tmp_path, {n: f"SELECT {i};\n" for i, n in enumerate(names)}, tool="plain", order=order)
    assert found.tool == "plain"
    assert _ids(tmp_path) == ids
    assert order or found.reason == "in the order of their names, which is that of their numbers"


@pytest.mark.parametrize(
    ("tool", "program", "others"),
    [
        ("pairs", "2_b.up.go", {"1_a.up.sql": A, "1_a.down.sql": "DROP TABLE a;\n", "2_b.down.sql": "SELECT 1;\n"}),
        ("pairs", "2_b_up.py", {"1_a_up.sql": A, "1_a_down.sql": "DROP TABLE a;\n"}),
        ("plain", "2_b.sh", {"1_a.sql": A, "migrations.go": "package m", "2_b_test.go": "package m"}),
        ("plain", "2_b.sql.gz", {"1_a.sql": A}),
    ],
)
def test_a_program_between_files_of_sql_waits_in_its_place(
    tmp_path: Path, tool: str, program: str, others: dict[str, str]
) -> None:
    last = "3_c_up.sql" if "_up." in program else "3_c.up.sql" if tool == "pairs" else "3_c.sql"
    found = imported(tmp_path, {**others, program: "no SQL", last: C}, tool=tool)
    assert [(f.id[:6], f.is_open) for f in found.files] == [("0001_a", False), ("0002_b", True), ("0003_c", False)]
    assert f"{program}: is no SQL" in found.files[1].notes[-1]
    assert len(found.left_out) == sum(not name.endswith(".sql") for name in others)


@pytest.mark.spread_over_servers
def test_a_list_says_the_order_and_may_lie_in_the_folder(tmp_path: Path, database: Database) -> None:
    files = {
        "tables/z.sql": A,
        "views/v.sql": "CREATE VIEW v AS SELECT * FROM a;\n",
        "a.sql": "BEGIN;\nCREATE TABLE b AS SELECT * FROM v;\nCOMMIT;\nVACUUM b;\n",
        "order.txt": "# first the tables\ntables/z.sql   # a\n\n./views/v.sql\r\n-- then the rest\na.sql\n",
        "README": "read me",
    }
    folder = lay(tmp_path, files)
    found = imported(tmp_path, files, database, order=str(folder / "order.txt"))
    assert found.tool == "plain" and found.exit_code == 0
    assert [f.path.rpartition("theirs/")[2] for f in found.files] == ["tables/z.sql", "views/v.sql", "a.sql"]
    assert found.proof is not None and found.proof.is_whole
    assert sorted(left.rpartition("theirs/")[2] for left in found.left_out) == [
        "README: no SQL",
        "order.txt: lists the order",
    ]


@pytest.mark.parametrize(
    ("listing", "said"),
    [
        ("a.sql\nb.sql\nd.sql\nc.sql\n", ":3 names d.sql, which is not in"),
        ("a.sql\nb.sql\n", "leaves out 1 file of"),
        ("a.sql\nb.sql\nc.sql\na.sql\n", ":4 names a.sql again, as line 1 does"),
        ("a.sql\nb.sql\nc.sql\nc_down.sql\n", ":4 names c_down.sql, which takes back what another file does"),
        ("", "leaves out 3 files of"),
        (None, "cannot read"),
    ],
)
def test_a_list_that_does_not_fit_is_refused(tmp_path: Path, listing: str | None, said: str) -> None:
    if listing is not None:
        (tmp_path / "order").write_text(listing)
    files = {"a.sql": A, "b.sql": B, "c.sql": C, "c_down.sql": "DROP TABLE c;\n"}
    with pytest.raises(BadMigrationFile) as caught:
        imported(tmp_path, files, tool="plain", order=str(tmp_path / "order"))
    assert said in caught.value.message


@pytest.mark.parametrize(
    ("names", "order", "said"),
    [
        (["1_a.sql", "2_b.sql", "10_c.sql"], "", "10_c.sql comes next by its name, and 1_a.sql by its number"),
        (["a.sql", "b.sql"], "", "a.sql has no number that says its place"),
        (["1_a.sql", "b.sql"], "number", "b.sql has no number"),
        (["1_a.sql", "1_b.sql"], "number", "1_a.sql and 1_b.sql have the same number"),
        (["01_a.sql", "01_b.sql"], "", "01_a.sql and 01_b.sql have the same number"),
    ],
)
def test_an_order_that_cannot_be_seen_is_asked_for(tmp_path: Path, names: list[str], order: str, said: str) -> None:
    with pytest.raises(BadMigrationFile) as caught:
        imported(tmp_path, dict.fromkeys(names, A), tool="plain", order=order)
    assert said in caught.value.message and "--order" in caught.value.hint


@pytest.mark.parametrize(
    ("first", "back", "second"),
    [
        ("1_a.sql", "1_a_down.sql", "2_b.sql"),
        ("up/1_a.sql", "down/1_a.sql", "up/2_b.sql"),
        ("1_a/forward.sql", "1_a/backward.sql", "2_b/forward.sql"),
        ("1_a.sql", "rollback/1_a.sql", "2_b.sql"),
        ("1-apply-a.sql", "1-revert-a.sql", "2-apply-b.sql"),
        ("1_a.sql", "1_a.rollback.sql", "2_b.sql"),
    ],
)
def test_what_takes_back_another_file_becomes_its_rollback(tmp_path: Path, first: str, back: str, second: str) -> None:
    found = imported(tmp_path, {first: A, back: "DROP TABLE a;\n", second: B}, order="name")
    assert [f.has_rollback for f in found.files] == [True, False]
    assert "is taken for what takes back" in found.files[0].notes[0]


@pytest.mark.spread_over_servers
def test_pairs_of_no_known_tool_are_proven_down_and_up(tmp_path: Path, database: Database) -> None:
    files = {"up/1_a.sql": A, "up/2_b.sql": B, "down/1_a.sql": "DROP TABLE a;\n", "down/2_b.sql": "DROP TABLE b;\n"}
    found = imported(tmp_path, files, database, tool="plain")
    assert found.exit_code == 0 and found.proof is not None
    assert found.proof.is_whole and found.proof.rolled_back == 2


def test_two_pairings_are_refused(tmp_path: Path) -> None:
    files = {"1_a.sql": A, "1_a_down.sql": "DROP TABLE a;\n", "1_a_revert.sql": "DROP TABLE a;\n"}
    with pytest.raises(BadMigrationFile, match="two pairings are possible"):
        imported(tmp_path, files, tool="plain", order="name")


def test_what_takes_back_nothing_that_is_there_is_left_out(tmp_path: Path) -> None:
    files = {"1_a.sql": A, "undo/9_old.sql": "DROP TABLE old;\n", "b.down.sql": "DROP TABLE b;\n"}
    found = imported(tmp_path, files, tool="plain", order="name")
    assert [f.id for f in found.files] == ["0001_a"]
    assert len(found.left_out) == 2 and all("takes back what no file makes" in left for left in found.left_out)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (
            {"1_a.sql": "-- migrate:up\nSELECT 1;\n-- migrate:down\nSELECT 2;\n"},
            "is a folder of dbmate, as 1_a.sql:1 says",
        ),
        ({"V1__a.sql": A, "U1__a.sql": "DROP TABLE a;\n"}, "is a folder of Flyway, as U1__a.sql shows"),
        ({"1_a/up.sql": A, "1_a/down.sql": "DROP TABLE a;\n"}, "is a folder of Diesel, as 1_a/down.sql shows"),
        ({"1_a.sql": f"-- Up\n{A}-- Down\nDROP TABLE a;\n"}, "says -- Down"),
    ],
)
def test_another_tools_folder_is_never_read_as_plain(tmp_path: Path, files: dict[str, str], said: str) -> None:
    with pytest.raises(BadMigrationFile) as caught:
        imported(tmp_path, files, tool="plain", order="name")
    assert said in caught.value.message


def test_a_folder_of_a_tool_takes_no_order(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="says its order itself"):
        imported(tmp_path, {"1_a/up.sql": A}, order="name")


def test_a_bare_folder_is_not_read_unasked(tmp_path: Path) -> None:
    with pytest.raises(WfloSchemaError) as caught:
        imported(tmp_path, {"1_a.sql": A})
    assert "--from plain" in caught.value.hint


# --- dumps ------------------------------------------------------------------------------------

DUMP = r"""--
-- PostgreSQL database dump
--

\restrict abcDEF123

-- Dumped from database version 15.20
SET statement_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET default_tablespace = '';

CREATE TABLE public.t (
    id integer NOT NULL,
    note text
);

%sCREATE SEQUENCE public.t_id_seq AS integer START WITH 1 INCREMENT BY 1 NO MINVALUE NO MAXVALUE CACHE 1;
ALTER SEQUENCE public.t_id_seq OWNED BY public.t.id;

COPY public.t (id, note) FROM stdin;
1	one; two
2	\N
\.

SELECT pg_catalog.setval('public.t_id_seq', 7, true);
ALTER TABLE ONLY public.t ADD CONSTRAINT t_pkey PRIMARY KEY (id);

\unrestrict abcDEF123

"""


def _file(root: Path, name: str, text: str, database: Database | None = None, tool: str | None = None) -> Import:
    path = lay(root, {name: text}) / name
    return import_folder(str(path), root / "ours", tool=tool, server=database, write=True)


@pytest.mark.spread_over_servers
def test_a_dump_is_the_first_migration(tmp_path: Path, database: Database) -> None:
    found = _file(tmp_path, "production.sql", DUMP % "", database)
    assert (found.tool, found.reason, found.exit_code) == ("plain", "as a dump", 0)
    assert _ids(tmp_path) == ["0001_production"]
    assert found.proof is not None and found.proof.is_whole and found.proof.filled


@pytest.mark.spread_over_servers
def test_a_dumps_owners_that_are_not_there_are_named(tmp_path: Path, database: Database) -> None:
    owner = 'ALTER TABLE public.t OWNER TO "no such role";\nGRANT ALL ON TABLE public.t TO PUBLIC;\n'
    found = _file(tmp_path, "production.sql", DUMP % owner, database)
    assert found.exit_code == 1
    assert "names 1 role that must be there where it is run: no such role" in found.files[0].notes[0]
    assert any('role "no such role" does not exist' in note for note in found.files[0].notes)


STRUCTURE = r"""SET statement_timeout = 0;
SELECT pg_catalog.set_config('search_path', '', false);
CREATE TABLE public.ar_internal_metadata (key character varying PRIMARY KEY, value character varying,
    created_at timestamp(6) NOT NULL, updated_at timestamp(6) NOT NULL);
CREATE TABLE public.schema_migrations (version character varying PRIMARY KEY);
CREATE TABLE public.users (id bigint PRIMARY KEY);
SET search_path TO "$user", public;

INSERT INTO "schema_migrations" (version) VALUES
('20240301000000'),
('20240102000000'),
('9');

"""


@pytest.mark.parametrize("below", ["", "db/"])
def test_rails_structure_stands_for_all_its_versions(tmp_path: Path, below: str) -> None:
    files = {f"{below}structure.sql": STRUCTURE, f"{below}migrate/1_a.rb": "", f"{below}views/v_v01.sql": "SELECT 1"}
    found = imported(tmp_path, files)
    assert found.tool == "structure.sql"
    assert _ids(tmp_path) == ["20240301000000_structure"]
    said = text_of(tmp_path, "adopt.toml")
    assert '["rails"]' in said
    assert all(f'"{v}" = "20240301000000_structure"' in said for v in ("9", "20240102000000", "20240301000000"))
    assert len(found.left_out) == 2


def test_structures_of_two_databases_are_imported_one_by_one(tmp_path: Path) -> None:
    files = {"db/structure.sql": STRUCTURE, "db/cache_structure.sql": STRUCTURE}
    with pytest.raises(BadMigrationFile, match=r"2 structure files: db/cache_structure\.sql, db/structure\.sql"):
        imported(tmp_path, files)
    found = _file(tmp_path, "db/cache_structure.sql", STRUCTURE)
    assert found.tool == "structure.sql" and _ids(tmp_path) == ["20240301000000_cache_structure"]


def test_ectos_structure_stands_for_its_versions(tmp_path: Path) -> None:
    text = "CREATE TABLE public.schema_migrations (\n    version bigint NOT NULL,\n    inserted_at timestamp(0)\n);\n"
    text += 'INSERT INTO public."schema_migrations" (version) VALUES (1);\n' * 2
    text += 'INSERT INTO public."schema_migrations" (version) VALUES (20);\n'
    _file(tmp_path, "structure.sql", text)
    assert '["ecto"]\n"1" = "0020_structure"\n"20" = "0020_structure"' in text_of(tmp_path, "adopt.toml")


def test_dbmates_schema_file_stands_for_all_its_versions(tmp_path: Path) -> None:
    text = "INSERT INTO public.schema_migrations (version) VALUES\n    ('1'),\n    ('2');\n"
    text = f"CREATE TABLE t (id int);\n-- Dbmate schema migrations\n{text}"
    _file(tmp_path, "schema.sql", text)
    assert '["dbmate"]\n"1" = "0002_schema"\n"2" = "0002_schema"' in text_of(tmp_path, "adopt.toml")


# --- refinery ---------------------------------------------------------------------------------


@pytest.mark.spread_over_servers
def test_refinery_reads_what_flyway_would_undo(tmp_path: Path, database: Database) -> None:
    files = {
        "refinery.toml": "[main]\ndb_type = 'Postgres'\n",
        "V1__a.sql": A,
        "sub/V10__c.sql": C,
        "U2__b.sql": B,
        "V2.sql": "SELECT 1;\n",
    }
    found = imported(tmp_path, files, database)
    assert found.tool == "refinery" and found.exit_code == 0
    assert _ids(tmp_path) == ["0001_a", "0002_b", "0010_c"]
    assert found.proof is not None and found.proof.is_whole
    assert '["refinery"]\n"1" = "0001_a"' in text_of(tmp_path, "adopt.toml")
    assert len(found.left_out) == 2


@pytest.mark.spread_over_servers
@pytest.mark.parametrize("tool", ["rails", "refinery"])
def test_a_ledger_says_where_its_database_is(tmp_path: Path, database: Database, tool: str) -> None:
    if tool == "rails":
        files, made = {"structure.sql": STRUCTURE}, STRUCTURE
    else:
        files = {"V1__a.sql": A, "V2__b.sql": "INSERT INTO a VALUES (1);\n", "V3__c.sql": "INSERT INTO a VALUES (2);\n"}
        ledger = "CREATE TABLE refinery_schema_history (version int4 PRIMARY KEY, name varchar(255), applied_on "
        ledger += "varchar(255), checksum varchar(255)); INSERT INTO refinery_schema_history VALUES (1), (2)"
        made = f"{A}{files['V2__b.sql']}{ledger}"
    found = imported(tmp_path, files, tool=tool)
    with database.connect() as connection:
        connection.execute(made.encode())
    done = adopt_database(database, ours(tmp_path), apply=True, to=None, scratch=ScratchOptions())
    assert (done.verdict, done.is_applied) == (Verdict.EQUAL, True)
    assert done.id == done.ledgers[0].stands_for == found.files[0 if tool == "rails" else 1].id
    left = [m.id for m in operations.migrate(database, ours(tmp_path)).done]
    assert left == ([] if tool == "rails" else ["0003_c"])

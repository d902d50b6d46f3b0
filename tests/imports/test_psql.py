"""What psql makes of a file, and what we make of it, is the same: psql itself is asked."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.conftest import RunningServer
from tests.imports.laid import imported, lay, ours, sqitch, text_of
from wflo_schema.connect.database import Database
from wflo_schema.engine import operations
from wflo_schema.imports.psql import expand
from wflo_schema.imports.source import Section
from wflo_schema.squash.proof import look_at, unlike

VARIABLES = r"""
\set ON_ERROR_STOP on
\set who 'it''s\tme\\'
\set tab my_table
\set odd 'A "B"'
\set both :tab _ :tab
\set n 3
\set list '1, ' :n
\echo making :tab
CREATE TABLE :tab (id int, "x:who" text, said text DEFAULT ':who', arr int[] DEFAULT '{1,2,3,4}');
CREATE TABLE :"odd" (a int); -- :who 'x
CREATE TABLE :both (a int);
INSERT INTO :tab (id, "x:who", said) VALUES (:n::int, :'who', $$:who :'who'$$), (:n,
    E'\':who', ':''who'''
    ) /* :who ; '
 /* \echo */ */ ;
"""

REST = r"""
INSERT INTO :tab (id, said) SELECT i, arr[1:2]::text || arr[i:]::text
FROM :tab, (SELECT 2 AS i, 3 AS low) x WHERE id = ANY (ARRAY[:list]);
UPDATE :tab SET arr[:n:4] = '{7,8}' WHERE id = :n;
\if :{?nothing} \\ SELECT broken; \else
INSERT INTO :tab (id) VALUES (10); \endif
\if off
  SELECT broken from :nothing;
  \if true
  \i missing.sql
  \else
  \endif
  SELECT 'a \endif';
\elif on
  \if no
  \elif 1
  INSERT INTO :tab (id) VALUES (11);
  \else
  \gset
  \endif
\else
  \! false
\endif
SELECT format('CREATE TABLE g%s (i int)', i) AS said, NULL AS found,
    format('INSERT INTO g%s VALUES (%s) -- $gexec$', i, i)
FROM generate_series(2, 1, -1) AS i -- the second first
\gexec
INSERT INTO :tab (id) VALUES (12) RETURNING id \gset got_
SELECT 1 \g /dev/null
SELECT 'left out' \r
\unset tab
COPY my_table (id, said) FROM stdin;
20	:n :who \\echo
21	\N
\.
\copy "my_table" (id, said) from 'rows.txt'
\COPY my_table(id,said) FROM 'sub/it''s rows.csv'WITH (FORMAT csv, HEADER, FORCE_NOT_NULL (said));
\copy my_table (id, said) from stdin with csv
50,"a
:who
b"
51,\echo
\.
\i 'sub/inner.sql'
\ir ../sub/inner.sql
\set page `cat 'rows.txt'`
INSERT INTO my_table (id, said) VALUES (98, :'page'); -- :page
INSERT INTO my_table (id) VALUES (99); \q
SELECT broken;
"""

INNER = """\\set tab inner_table
CREATE TABLE IF NOT EXISTS :tab (a int);
\\ir more.psql
INSERT INTO :tab SELECT count(*) FROM :tab"""


@pytest.mark.spread_over_servers
def test_a_file_does_what_psql_does_with_it(
    tmp_path: Path, database: Database, second: Database, server: RunningServer
) -> None:
    files = sqitch(
        {"all": VARIABLES + REST},
        **{
            "sub/inner.sql": INNER,
            "sub/more.psql": "INSERT INTO :tab VALUES (1) -- no end",
            "rows.txt": "30\ta\\tb\n31\t:who",
            "sub/it's rows.csv": 'id,said\r\n40,"a ""b"""\r\n41,\r\n',
        },
    )
    folder = lay(tmp_path, files)
    command = [str(server.psql), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", second.url, "-f", "deploy/all.sql"]
    done = subprocess.run(command, check=False, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = imported(tmp_path, files, database)
    assert found.open_files == ()
    assert found.proof is not None and found.proof.is_whole, found.proof
    operations.migrate(database, ours(tmp_path))
    assert unlike(look_at(database), look_at(second)).lines == ()
    assert any("\\q ends it" in note for note in found.files[0].notes)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("\\echo x\n\\! rm -rf x\n", 2, "\\! is a command of psql"),
        ("SELECT 1;\n\n\\connect other\n", 3, "\\connect is a command of psql"),
        ("SELECT :missing;\n", 1, "the value of missing is not given; give it: --set missing=VALUE"),
        ("SELECT 1\n  , :'missing';\n", 2, "the value of missing is not given"),
        ("SELECT current_user AS me \\gset\nSELECT :'me';\n", 2, "is what the query at line 1 finds"),
        ("\\set me a\nSELECT current_user AS me \\gset\nSELECT :'me';\n", 3, "is what the query at line 2 finds"),
        ("SELECT :DBNAME;\n", 1, "is psql's own"),
        ("\\set x `date`\nSELECT :x;\n", 1, "the value of x is made by a program"),
        ("\\set x `cat missing`\nSELECT 1;\n", 1, "there is no "),
        ("\\set x `cat a | b`\nSELECT 1;\n", 1, "the value of x is made by a program"),
        ("\\if :missing\nSELECT 1;\n\\endif\n", 1, "which branch \\if :missing takes is not known here"),
        ("\\if `true`\nSELECT 1;\n\\endif\n", 1, "which branch \\if `true` takes is not known here"),
        ("SELECT 1;\n\\if yes\nSELECT 1;\n", 2, "the \\if has no \\endif"),
        ("\\endif\n", 1, "\\endif without an \\if"),
        ("\\if yes\n\\else\n\\else\n\\endif\n", 3, "\\else behind \\else"),
        ("\\i missing.sql\n", 1, "there is no "),
        ("\\ir one.sql\n", 1, "leads back to a file that it is read for"),
        ("\n\\i inner/round.sql\n", 1, "leads back to a file that it is read for"),
        ("\\i /etc/passwd\n", 1, "is outside of"),
        ("SELECT\n\\i inner/good.sql\n", 2, "stands in the middle of a statement"),
        ("\\copy t from 'missing.csv' csv\n", 1, "there is no "),
        ("\\copy t from program 'ls'\n", 1, "has no rows to bring along"),
        ("\\copy t to 'out'\n", 1, "has no rows to bring along"),
        ("\\copy t from 'latin' \n", 1, "which is not UTF-8"),
        ("SELECT 'VACUUM' \\gexec\n", 1, "\\gexec runs statements that a query makes"),
        ("INSERT INTO t VALUES (1) RETURNING 'x' \\gexec\n", 1, "\\gexec runs statements that a query makes"),
        ("SELECT 1 \\watch 2\n", 1, "\\watch is a command of psql"),
        ("\\set AUTOCOMMIT off\nSELECT 1;\n", 1, "with AUTOCOMMIT off"),
        ("\\prompt 'Name' name\n", 1, "the value of name is made by \\prompt; give it: --set name=VALUE"),
        ("\\encoding LATIN1\n", 1, "\\encoding LATIN1"),
        ("\\i inner/good.sql\nSELECT 1;\nSELECT :x;", 3, "the value of x is not given"),
        ("\\i inner/bad.sql\n", 2, "the value of y is not given"),
        ("SELECT 1 \\; SELECT 2;\n", 1, "\\; sends several statements as one message"),
    ],
)
def test_what_cannot_be_said_in_sql_waits_for_a_person(tmp_path: Path, text: str, line: int, said: str) -> None:
    inner = {
        "inner/good.sql": "SELECT 1;\nSELECT 2;\n",
        "inner/bad.sql": "SELECT 1;\nSELECT :y;\n",
        "inner/round.sql": "\\ir ../deploy/one.sql\n",
    }
    found = imported(tmp_path, {**sqitch({"one": text}, **inner), "latin": b"\xe9\n"})
    assert [f.id for f in found.open_files] == ["0001_one"]
    (note,) = found.files[0].notes
    assert f":{line}: " in note and said in note, note
    assert text.rstrip("\n").split("\n")[-1] in text_of(tmp_path, "0001_one.sql").replace("-- | ", "")


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("SELECT a[:n:2], json_object('a':b), :1, $1;", None),
        ("SELECT ':a', \"b:a\", $$ :a $$, $q$ :'a' $q$; -- :a\n/* :a /* :a */ :a */ SELECT 1;", None),
        ("SELECT x::a, y := :a;", "SELECT x::a, y := 7;"),
        ("SELECT :'a', :\"a\", :{?a}, :{?b};", "SELECT '7', \"7\", TRUE, FALSE;"),
        ("\\timing\nSELECT 1; \\x\nSELECT 2;\\pset null x\n", "SELECT 1; \nSELECT 2;\n"),
        ("\\timing on \\\\ SELECT 1;\n", " SELECT 1;\n"),
        ("\\restrict x\nSELECT 1;\n\\unrestrict x\n", "SELECT 1;\n"),
        ("SELECT 1 \\g\nSELECT 2\\gx\n", "SELECT 1 ;\nSELECT 2;\n"),
        ("\\set a b\\set c d\nSELECT :a:c;", "SELECT bd;"),
    ],
)
def test_values_are_put_in_where_psql_looks_for_them(tmp_path: Path, text: str, made: str | None) -> None:
    section = Section(str(tmp_path / "one.sql"), text.encode(), is_wrapped=False, is_psql=True)
    found = expand(section, {"a": "7"})
    assert found.notes == ()
    assert found.text.decode() == (text if made is None else made)


def test_places_behind_what_was_left_out_and_put_in_are_true(tmp_path: Path) -> None:
    (tmp_path / "in.sql").write_text("SELECT 3;\n\nSELECT 5;")
    text = "\\set a 1\n\\set b 2\nSELECT :a;\n\\ir in.sql\nSELECT 6;\n"
    found = expand(Section(str(tmp_path / "one.sql"), text.encode(), line=10, is_psql=True), {})
    lines = found.text.decode().split("\n")
    places = {lines[n - 1]: found.place(n) for n in range(1, len(lines))}
    one, inner = str(tmp_path / "one.sql"), str(tmp_path / "in.sql")
    assert places["SELECT 1;"] == (one, 12)
    assert (places["SELECT 3;"], places["SELECT 5;"]) == ((inner, 1), (inner, 3))
    assert places["SELECT 6;"] == (one, 14)


@pytest.mark.spread_over_servers
def test_each_file_finds_what_is_behind_the_schema_that_is_put_first(tmp_path: Path, database: Database) -> None:
    files = sqitch({"one": "CREATE TYPE public.mood AS ENUM ('ok');", "two": "CREATE TABLE t (m mood);"})
    found = imported(tmp_path, files, database.with_schema("App"))
    assert found.proof is not None and found.proof.is_whole, found.proof

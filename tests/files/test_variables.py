"""Variables in files: what is one, what is none, and how values are put in their places."""

from __future__ import annotations

from pathlib import Path

import pytest

from wflo_schema.errors import BadMigrationFile
from wflo_schema.files.folder import load_rollback, load_script, read_migrations
from wflo_schema.files.script import Script
from wflo_schema.files.variables import quote_identifier, quote_literal


def script_of(path: Path, text: str, /, **values: str) -> Script:
    """The file, as it is read to be run."""
    (path / "1_a.sql").write_text(f"-- variables: {', '.join(values)}\n{text}", encoding="utf-8")
    (m,) = read_migrations(path, variables=values)
    script = load_script(m)
    script.refuse_doubtful()
    return script


def texts(path: Path, text: str, /, **values: str) -> list[str]:
    return [s.text for s in script_of(path, text, **values).statements]


def refusal(path: Path, text: str, /, **values: str) -> BadMigrationFile:
    with pytest.raises(BadMigrationFile) as caught:
        script_of(path, text, **values)
    return caught.value


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("SELECT :'a'", "SELECT 'v'"),
        ('SELECT * FROM :"a"', 'SELECT * FROM "v"'),
        ("SELECT :'a'::text", "SELECT 'v'::text"),
        ("SELECT :'a'::\"char\"", "SELECT 'v'::\"char\""),
        ("SELECT f(x := :'a')", "SELECT f(x := 'v')"),
        ("SELECT f(x :=:'a')", "SELECT f(x :='v')"),
        ("SELECT date:'a'", "SELECT date 'v'"),
        ("SELECT :'a'x", "SELECT 'v' x"),
        ('SELECT x:"a"', 'SELECT x "v"'),
        ('SELECT "x":"a"', 'SELECT "x" "v"'),
        ("SELECT ARRAY[:'a', :'a']", "SELECT ARRAY['v', 'v']"),
        ("SELECT x ?:'a'", "SELECT x ?'v'"),
        ("SELECT x ->>:'a'", "SELECT x ->>'v'"),
        ("SELECT 'x' || :'a' || 'y'", "SELECT 'x' || 'v' || 'y'"),
        ("SELECT E'\\'', :'a'", "SELECT E'\\'', 'v'"),
        ("SELECT e_x:'a'", "SELECT e_x 'v'"),
        ("SELECT x$$y, :'a', x$$y", "SELECT x$$y, 'v', x$$y"),
        ("SELECT $t$ $ $t$, :'a'", "SELECT $t$ $ $t$, 'v'"),
        ("CREATE FUNCTION f() RETURNS text BEGIN ATOMIC SELECT :'a'; END", None),
    ],
)
def test_variable_is_put_in(tmp_path: Path, written: str, sent: str | None) -> None:
    assert texts(tmp_path, written, a="v") == [sent or written.replace(":'a'", "'v'")]


@pytest.mark.parametrize(
    "written",
    [
        "':''a'''",
        "E'\\':''a'''",
        "U&':''a'''",
        "U&\":'a'\"",
        "\":'a'\"",
        "'it'':'",
        "$$ :'a' $$",
        "$t$ $$ :'a' :\"a\" $t$",
        "$t$ x $t$$$ :'a' $$",
        "$1$$ :'a' $$",
        "/* :'a' /* :\"a\" */ :'a' */ 1",
        "1 -- :'a' 'x",
        'x::"char"',
        "x::a",
        "y[1:a]",
        "y[:a]",
        "y[x[1:2] :a]",
        "f(a := 1)",
        "JSON_OBJECT('k': 'a')",
        "'a' ':' 'a'",
        "y ?: 'a'",
    ],
)
def test_what_is_no_variable_stays(tmp_path: Path, written: str) -> None:
    assert texts(tmp_path, f"SELECT {written}\n, :'a'", a="v") == [f"SELECT {written}\n, 'v'"]


@pytest.mark.parametrize("opened", ["$$", "$t$", "'", '"', "E'\\'", "$t$ x $t$$u$"])
def test_nothing_is_put_in_behind_a_quote_without_end(tmp_path: Path, opened: str) -> None:
    text = f"SELECT :'a';\nSELECT {opened} :'a' :\"a\""
    assert texts(tmp_path, text, a="$$ $t$ ' \"")[1] == text.partition("\n")[2]


def test_data_of_copy_and_code_of_do_stay(tmp_path: Path) -> None:
    text = "SELECT :'a';\nCOPY t FROM stdin;\n:'a'\n\\.\nDO $$ BEGIN :'a' END $$;\nSELECT :'a'"
    script = script_of(tmp_path, text, a="vvvvv")
    assert [s.text for s in script.statements] == [
        "SELECT 'vvvvv'",
        "COPY t FROM stdin",
        "DO $$ BEGIN :'a' END $$",
        "SELECT 'vvvvv'",
    ]
    data = script.statements[1].data
    assert data is not None and script.source[slice(*data)] == b":'a'\n"


def test_file_without_the_directive_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "1_a.sql").write_text("SELECT :'a', :b", encoding="utf-8")
    (m,) = read_migrations(tmp_path, variables={"a": "v"})
    script = load_script(m)
    script.refuse_doubtful()
    assert [s.text for s in script.statements] == ["SELECT :'a', :b"]
    assert (m.variables, m.values) == ((), {})


@pytest.mark.parametrize(
    ("value", "quoted"),
    [
        ("", "''"),
        ("it's", "'it''s'"),
        (" a ", "' a '"),
        ("a\\'b", " E'a\\\\''b'"),
        ("a\nb\r", " E'a\\nb\\r'"),
        ("é😀", "'é😀'"),
        ("$$:'x'--", "'$$:''x''--'"),
    ],
)
def test_literal_is_one_on_one_line(value: str, quoted: str) -> None:
    assert quote_literal(value) == quoted


def test_name_is_quoted_and_none_is_cut_off() -> None:
    assert quote_identifier('a "b" ') == '"a ""b"" "'
    assert quote_identifier("é" * 31) == f'"{"é" * 31}"'
    for wrong in ("", "é" * 32, "a\nb", "a\0", "\udcff"):
        with pytest.raises(ValueError, match=r"is|has|holds"):
            quote_identifier(wrong)
    for wrong in ("a\0", "\udcff"):
        with pytest.raises(ValueError, match=r"is not UTF-8|NUL"):
            quote_literal(wrong)


@pytest.mark.parametrize(
    ("written", "line", "said"),
    [
        ("SELECT 1,\n :'b', :'a'", 3, ":'b' is not declared"),
        ("SELECT :'a',\n :a", 3, ":a has no quotes"),
        ("SELECT 'x' :'a'", 2, "beside a string"),
        ("SELECT 'x'\n:'a'", 3, "beside a string"),
        ("SELECT 'x' /* */ :'a'", 2, "beside a string"),
        ("SELECT :'a'\n'x'", 2, "beside a string"),
        ("SELECT :'a':'a'", 2, "beside a string"),
        ("SELECT JSON_OBJECT('k':'a')", 2, "beside a string"),
        ("SELECT $$:'a'$$", 1, "nothing uses a"),
        ("SELECT 1", 1, "nothing uses a"),
    ],
)
def test_misuse_is_refused_with_its_place(tmp_path: Path, written: str, line: int, said: str) -> None:
    error = refusal(tmp_path, written, a="v")
    assert said in error.message
    assert error.location is not None and error.location.line == line
    assert error.hint


@pytest.mark.parametrize(("quote", "value"), [('"', ""), ('"', "x" * 64), ("'", "a\0b"), ('"', "a\nb")])
def test_value_that_cannot_be_one_is_refused_and_not_shown(tmp_path: Path, quote: str, value: str) -> None:
    error = refusal(tmp_path, f"SELECT 1;\nSELECT :{quote}a{quote}", a=value)
    assert error.location is not None and error.location.line == 3
    assert not value or value not in f"{error.message}{error.hint}{error.source_line}"


def test_places_are_those_of_the_file(tmp_path: Path) -> None:
    script = script_of(tmp_path, "SELECT :'a', x,\n  :'a', y;\nSELECT z", a="é\n" * 30)
    one, two = script.statements
    found = {word: str(one.location("f", one.text.index(word) + 1)) for word in ("x", "y")}
    assert found == {"x": "f:2:14", "y": "f:3:9"}
    assert str(one.location("f", one.text.index("E'") + 4)) == "f:2:8"
    assert str(two.location("f")) == "f:4:1"
    assert one.written == "SELECT :'a', x,\n  :'a', y"
    assert script.source_line(3) == "  :'a', y;"


def test_missing_value_is_named_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "1_a.sql").write_text("-- variables: a\nSELECT 1;\nSELECT :'a'", encoding="utf-8")
    (m,) = read_migrations(tmp_path)
    assert m.unset == ("a",)
    with pytest.raises(BadMigrationFile, match=r"1_a\.sql:3: the variable a has no value") as caught:
        load_script(m)
    assert "--set a=VALUE" in caught.value.hint
    assert load_script(m.with_any_values()).statements[1].text == "SELECT 'a'"


def test_checksum_is_that_of_the_file(tmp_path: Path) -> None:
    one = script_of(tmp_path, "SELECT :'a'", a="1")
    assert one.checksum == script_of(tmp_path, "SELECT :'a'", a="2").checksum


def test_rollback_file_has_its_own_and_its_names_count(tmp_path: Path) -> None:
    (tmp_path / "1_a.sql").write_text("-- variables: a (secret), b\nSELECT :'a', :'b'", encoding="utf-8")
    (tmp_path / "1_a.rollback.sql").write_text("-- variables: c\nSELECT :'c', :'a'", encoding="utf-8")
    (m,) = read_migrations(tmp_path, variables={"a": "1", "b": "2", "c": "3", "d": "4"})
    assert (m.variables, m.secrets) == (("a", "b", "c"), ("a",))
    assert m.values == {"a": "1", "b": "2", "c": "3"}
    assert "'3'" not in repr(m)
    back = load_rollback(m)
    assert back is not None
    with pytest.raises(BadMigrationFile, match=":'a' is not declared"):
        back.refuse_doubtful()


def test_prose_is_no_directive(tmp_path: Path) -> None:
    text = "-- variables: what the users-to-be set (see below)\nSELECT :'a'"
    (tmp_path / "1_a.sql").write_text(text, encoding="utf-8")
    (m,) = read_migrations(tmp_path)
    assert m.variables == ()
    assert load_script(m).statements[0].text == "SELECT :'a'"

"""A folder of seeds: its order, its tables, and what of a file of rows is found out before it is sent."""

from __future__ import annotations

from pathlib import Path

import pytest

from wflo_schema.errors import BadMigrationFile, Refused, UsageError
from wflo_schema.files import seeds
from wflo_schema.files.seeds import Rows, SeedFile, read_seeds


def lay(folder: Path, **files: bytes) -> Path:
    """A set demo with these files; in a name ``__`` is a dot."""
    (folder / "demo").mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / "demo" / name.replace("__", ".")).write_bytes(data)
    return folder


def only(folder: Path) -> SeedFile:
    (file,) = read_seeds(folder, ["demo"])[0].files
    return file


def test_files_come_in_the_order_of_their_names_with_numbers_as_numbers(tmp_path: Path) -> None:
    rows = {"10_c__csv": b"id\n", "1_a__tsv": b"id\n", "z__copy": b""}
    lay(tmp_path, **rows, **{"2_b__sql": b"SELECT 1;", "README__md": b""})
    found = read_seeds(tmp_path, ["demo", "demo"])
    assert [[f.name for f in one.files] for one in found] == [["1_a.tsv", "2_b.sql", "10_c.csv", "z.copy"]]


@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("users.csv", ("users",)),
        ("01_users.csv", ("users",)),
        ("02-public.orders.csv", ("public", "orders")),
        ("Users.TSV", ("Users",)),
        ("01_2024_orders.copy", ("2024_orders",)),
        ("a b.csv", ("a b",)),
    ],
)
def test_the_name_says_the_table(tmp_path: Path, name: str, table: tuple[str, ...]) -> None:
    lay(tmp_path)
    (tmp_path / "demo" / name).write_bytes(b"id\n1\n")
    assert only(tmp_path).table == table


@pytest.mark.parametrize("name", ["01_.csv", "a.b.c.csv", ".a.csv.csv"[1:] + ".csv"])
def test_a_name_that_says_no_table_is_refused(tmp_path: Path, name: str) -> None:
    lay(tmp_path)
    (tmp_path / "demo" / name).write_bytes(b"id\n1\n")
    with pytest.raises(Refused, match="says no table"):
        read_seeds(tmp_path, ["demo"])


@pytest.mark.parametrize("name", ["users.csv.gz", "users.json", "users", "sub"])
def test_what_is_no_file_of_seeds_is_refused_and_never_left_out(tmp_path: Path, name: str) -> None:
    lay(tmp_path, a__sql=b"")
    path = tmp_path / "demo" / name
    path.mkdir() if name == "sub" else path.write_bytes(b"")
    with pytest.raises(Refused, match=name):
        read_seeds(tmp_path, ["demo"])


def test_an_unknown_set_is_answered_with_those_that_are_there(tmp_path: Path) -> None:
    lay(tmp_path, a__sql=b"")
    with pytest.raises(UsageError, match="no set of seeds dmo") as raised:
        read_seeds(tmp_path, ["dmo"])
    assert raised.value.hint.endswith("has demo")
    with pytest.raises(UsageError, match="there is no folder"):
        read_seeds(tmp_path / "none", ["demo"])


@pytest.mark.parametrize(
    ("name", "data", "columns", "rest", "line"),
    [
        ("u.csv", b"id,name\n1,a\n", ("id", "name"), b"id,name\n1,a\n", 1),
        ("u.csv", b"\xef\xbb\xbfid,name\r\n1,a\r\n", ("id", "name"), b"id,name\r\n1,a\r\n", 1),
        ("u.csv", b"id\r1\r", ("id",), b"id\r1\r", 1),
        ("u.csv", b'"a,b","c""d"\n1,2\n', ("a,b", 'c"d'), b'"a,b","c""d"\n1,2\n', 1),
        ("u.csv", b'id,"two\nlines"\n1,2\n', ("id", "two\nlines"), b'id,"two\nlines"\n1,2\n', 2),
        ("u.csv", b"id,name", ("id", "name"), b"id,name", 1),
        ("u.tsv", b'\xef\xbb\xbfid\t"name\r\n1\ta\r\n', ("id", '"name'), b"1\ta\r\n", 2),
        ("u.copy", b"1\ta\n", (), b"1\ta\n", 1),
    ],
)
# many parameters: a case, and what comes of it
def test_the_first_line_names_the_columns(
    tmp_path: Path, name: str, data: bytes, columns: tuple[str, ...], rest: bytes, line: int
) -> None:
    found = only(lay(tmp_path, **{name: data}))
    assert (found.columns, found.first_line) == (columns, line)
    rows = Rows(found)
    assert rows[0 : len(rows)] == rest
    assert rows.close()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "must name the columns"),
        (b"id,\n1,2\n", "must name the columns"),
        (b"id,id\n1,2\n", "column id twice"),
        (b"id;name\n1;2\n", "divided by semicolons"),
        (b"id\tname\n1\t2\n", "divided by tabs"),
        (b'id,"name\n1,2\n', "is no CSV"),
        (b"id\n\xe4\n", "is not UTF-8: byte 0xe4 in line 2"),
        (b"id\n1\n\xe2\x82", "ends within a character"),
        (b"i\x00d\x00\n\x00", "NUL"),
        (b"id\n1\n\\.\n2\n", r"test_|:3: a line that is \\\. alone"),
        (b"id\n1\n\\.", r":3: a line that is \\\. alone"),
    ],
)
@pytest.mark.parametrize("at_once", [1, 4, 1 << 18])
def test_what_copy_cannot_take_or_would_lose_is_refused(
    tmp_path: Path, data: bytes, said: str, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seeds, "_AT_ONCE", at_once)
    lay(tmp_path, users__csv=data)
    with pytest.raises(BadMigrationFile, match=said):
        read_seeds(tmp_path, ["demo"])


@pytest.mark.parametrize("at_once", [1, 3, 1 << 18])
def test_text_of_copy_may_end_in_its_mark_and_nothing_may_follow(
    tmp_path: Path, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seeds, "_AT_ONCE", at_once)
    for good in (b"1\ta\n\\.\n", b"1\ta\n\\.\r\n", b"1\ta\n\\.", b"1\t\\\\.\n2\tb\n"):
        lay(tmp_path, users__copy=good)
        assert only(tmp_path).size == len(good)
    lay(tmp_path, users__copy=b"1\ta\n\\.\n2\tb\n")
    with pytest.raises(BadMigrationFile, match=":2: "):
        read_seeds(tmp_path, ["demo"])


def test_a_file_that_changes_while_it_is_read_is_noticed(tmp_path: Path) -> None:
    found = only(lay(tmp_path, users__csv=b"id\n1\n"))
    for data in (b"id\n2\n", b"id\n1\n2\n", b"id\n", b"ID\n1\n"):
        lay(tmp_path, users__csv=data)
        rows = Rows(found)
        rows[0 : len(rows)]
        assert not rows.close()

"""A contract is read as it is written, and what is absurd is refused with its line."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from wflo_schema.catalog.keys import DEFERRABLE, DEFERRED
from wflo_schema.check.contract import Contract, Name, RequiredColumn, RequiredIndex, RequiredTable
from wflo_schema.check.contract_file import parse_contract, read_contract, render_contract
from wflo_schema.errors import BadContract
from wflo_schema.names import quote

WFLO = Path(__file__).parents[2] / "migrations" / "contract.toml"


def test_wflo_s_contract_names_six_tables_and_five_cascading_keys() -> None:
    contract = read_contract(WFLO)

    assert len(contract.tables) == 6
    assert [k.name for k in contract.foreign_keys] == [
        f"fk_{k.table.name}_{k.columns[0]}" for k in contract.foreign_keys
    ]
    assert {(k.on_delete, k.on_update, k.match, k.deferrable) for k in contract.foreign_keys} == {
        ("CASCADE", "NO ACTION", "SIMPLE", "NOT DEFERRABLE")
    }
    assert contract.schema is None


def test_silence_about_a_key_means_what_sql_means_by_it() -> None:
    (key,) = parse_contract("[[foreign_key]]\nfrom = 'a(b)'\nto = 'c(d)'").foreign_keys

    assert (key.name, key.on_delete, key.on_update, key.match, key.deferrable) == (
        None,
        "NO ACTION",
        "NO ACTION",
        "SIMPLE",
        "NOT DEFERRABLE",
    )


@pytest.mark.parametrize(
    ("written", "table", "columns"),
    [
        ("a(b)", Name("a"), ("b",)),
        (" a ( b , c ) ", Name("a"), ("b", "c")),
        ("s.a(b)", Name("a", "s"), ("b",)),
        ("Mixed(Case)", Name("Mixed"), ("Case",)),
        ('"O ""dd"", (t)"."x.y"("z,)")', Name("x.y", 'O "dd", (t)'), ("z,)",)),
        ("straße(größe)", Name("straße"), ("größe",)),
        ("select(order)", Name("select"), ("order",)),
    ],
)
def test_names_are_taken_exactly_as_written(written: str, table: Name, columns: tuple[str, ...]) -> None:
    targets = ", ".join(f"x{n}" for n in range(len(columns)))
    (key,) = parse_contract(f"[[foreign_key]]\nfrom = '''{written}'''\nto = 'c({targets})'").foreign_keys

    assert (key.table, key.columns) == (table, columns)


EVERYTHING = """
[contract]
schema = "app"
distributed_schema = true
tables = ["a", "other.b"]
[[foreign_key]]
name = "fk_it"
from = "a(b, PERIOD during)"
to = "c(d, PERIOD during)"
on_delete = "set null (b)"
on_update = "cascade"
match = "full"
deferrable = "initially deferred"
[[unique]]
on = "a(b, c)"
primary = true
[[check]]
name = "ck"
on = "a"
expression = "(b > 'x\\\\y')"
[[index]]
on = "a(b)"
unique = true
using = "HASH"
where = "(b IS NOT NULL)"
[tables.'"Odd one"']
reference = true
[tables.a]
distributed_by = '"Tenant id"'
colocated_with = "other.b"
shards = 32
[tables.d]
distributed = true
[columns."other.b"]
id = "character varying(36) not null default 'not null'::text"
note = "text"
"odd name" = "timestamp with time zone null"
"""


def test_everything_that_can_be_required_is_read() -> None:
    contract = parse_contract(EVERYTHING)
    (key,) = contract.foreign_keys

    assert contract.schema == "app"
    assert (key.on_delete, key.set_columns, key.on_update, key.match, key.deferrable, key.period) == (
        "SET NULL",
        ("b",),
        "CASCADE",
        "FULL",
        DEFERRED,
        True,
    )
    assert [(c.type, c.is_nullable, c.default) for c in contract.columns] == [
        ("character varying(36)", False, "'not null'::text"),
        ("text", None, None),
        ("timestamp with time zone", True, None),
    ]
    assert (contract.indexes[0].method, contract.indexes[0].is_unique) == ("hash", True)
    assert contract.uniques[0].is_primary
    assert contract.is_schema_distributed
    assert [(d.column, d.is_reference, d.colocated_with, d.shards) for d in contract.distributions] == [
        (None, True, None, None),
        ("Tenant id", False, Name("b", "other"), 32),
        (None, False, None, None),
    ]
    assert (
        parse_contract("[[foreign_key]]\nfrom='a(b)'\nto='c(d)'\ndeferrable=true").foreign_keys[0].deferrable
        == DEFERRABLE
    )


@pytest.mark.parametrize("text", [EVERYTHING, WFLO.read_text()])
def test_what_is_rendered_is_read_back_equal(text: str) -> None:
    contract = parse_contract(text)

    assert parse_contract(render_contract(contract, comment="one\ntwo")) == contract


def test_entries_know_their_line() -> None:
    contract = parse_contract(EVERYTHING)

    lines = EVERYTHING.splitlines()
    assert lines[contract.foreign_keys[0].line - 1] == "[[foreign_key]]"
    assert lines[contract.checks[0].line - 1] == "[[check]]"
    assert lines[contract.columns[1].line - 1].startswith("note")
    assert contract.tables[1].line == 5
    assert [lines[d.line - 1] for d in contract.distributions] == [
        """[tables.'"Odd one"']""",
        "[tables.a]",
        "[tables.d]",
    ]


KEY = "[[foreign_key]]\nfrom = 'a(b)'\nto = 'c(d)'\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "requires nothing"),
        ("[contract]\nschema = 'x'\ntables = []", "requires nothing"),
        ("[contract]\ntables = ['a', 'b',\n 'a']", ":3: table a is required twice"),
        ("[contract]\ntables = 'a'", "tables must be a list"),
        ("[contract]\ntables = [1]", "must be a string"),
        ("[contract]\ntables = ['']", "is empty"),
        ("[contract]\ntables = ['a b']", "is not the name of a table"),
        ("[contract]\ntables = ['a.b.c']", "is not the name of a table"),
        ("[contract]\ntabels = ['a']", "tabels"),
        ("[contrct]\ntables = ['a']", "contrct"),
        ("contract = 3", "must be a TOML table"),
        ("x = ", "is not TOML"),
        (KEY + "on_delte = 'CASCADE'", ":4: "),
        (KEY + "on_delete = 'EXPLODE'", "none of NO ACTION"),
        (KEY + "on_delete = 'CASCADE (b)'", "takes no column list"),
        (KEY + "on_delete = 'SET NULL (x)'", "no column of from"),
        (KEY + "on_update = 'SET NULL (b)'", "on_update takes no column list"),
        (KEY + "match = 'PARTIAL'", "none of SIMPLE, FULL"),
        (KEY + "deferrable = 'sometimes'", "deferrable must be"),
        (KEY + "name = 3", "must be a string"),
        (KEY + "name = ' '", "is empty"),
        (KEY + "name = '" + "x" * 64 + "'", "end after 63 bytes"),
        (KEY + KEY, ":4: "),
        ("[[foreign_key]]\nfrom = 'a(b)'", "needs to"),
        ("[[foreign_key]]\nfrom = 'a(b)'\nto = 'c'", 'must be written as "table(column)"'),
        ("[[foreign_key]]\nfrom = 'a()'\nto = 'c(d)'", "names no column"),
        ("[[foreign_key]]\nfrom = 'a(b,)'\nto = 'c(d)'", "names no column"),
        ("[[foreign_key]]\nfrom = 'a(b c)'\nto = 'c(d)'", "cannot be read"),
        ("[[foreign_key]]\nfrom = 'a(b, c)'\nto = 'c(d)'", "2 columns cannot reference 1"),
        ("[[foreign_key]]\nfrom = 'a(b, c)'\nto = 'c(d, d)'", "twice"),
        ("[[foreign_key]]\nfrom = 'a(b, PERIOD c)'\nto = 'c(d, e)'", "on both sides"),
        ("[foreign_key]\nfrom = 'a(b)'\nto = 'c(d)'", "[[foreign_key]]"),
        ("[[check]]\non = 'a'", "needs a name"),
        ("[[unique]]\non = 'a(b, b)'", "twice"),
        (
            (
                "[contract]\nschema = 's'\n[[foreign_key]]\nfrom = 'a(b)'\nto = 'c(d)'\n"
                "[[foreign_key]]\nfrom = 's.a(b)'\nto = 's.c(d)'"
            ),
            "twice",
        ),
        ("[columns.a]\nid = 'integer not'", "type [not null]"),
        ("[columns.a]\nid = 3", "must be a string"),
        ("[tables.a]", ":1: [tables.a] requires nothing"),
        ("[tables.a]\ndistributed = false", "requires nothing"),
        ("[tables]\na = 3", "[tables.a] must be a TOML table"),
        ("[tables.a]\nreference = true\nshards = 3", "shards says otherwise"),
        ("[tables.a]\nreference = true\ndistributed_by = 'b'", "distributed_by says otherwise"),
        ("[tables.a]\nreference = 1", "must be true or false"),
        ("[tables.a]\nshards = 0", ":2: [tables.a]: shards must be a number"),
        ("[tables.a]\nshards = true", "shards must be a number"),
        ("[tables.a]\ndistributed_by = ['b']", "must be a string"),
        ("[tables.a]\ncolocated_with = 'a'", "always colocated with itself"),
        ("[tables.a]\ndistributed = true\n[tables.'\"a\"']\nreference = true", ":3: [tables.a] is required twice"),
        ("[contract]\ndistributed_schema = 'x'", "must be true or false"),
    ],
)
def test_absurd_contract_is_refused_and_says_where(text: str, said: str) -> None:
    with pytest.raises(BadContract) as caught:
        parse_contract(text, path="here.toml")

    assert said in caught.value.message
    assert "here.toml" in caught.value.message


def test_two_keys_may_bear_one_name_on_two_tables() -> None:
    text = "".join(f"[[foreign_key]]\nname = 'fk'\nfrom = '{t}(b)'\nto = 'c(d)'\n" for t in ("a", "b"))

    assert len(parse_contract(text).foreign_keys) == 2


def test_contract_that_is_not_there_or_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    for name in ("absent.toml", "binary.toml", "."):
        with pytest.raises(BadContract):
            read_contract(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "spelled"),
    [
        ("plain_1", "plain_1"),
        ("Upper", '"Upper"'),
        ('q"q', '"q""q"'),
        ("user", '"user"'),
        ("1st", '"1st"'),
        ("é", '"é"'),
    ],
)
def test_identifiers_are_quoted_where_sql_needs_it(name: str, spelled: str) -> None:
    assert quote(name) == spelled


def test_type_whose_name_holds_the_words_of_an_entry_is_not_cut() -> None:
    (column,) = parse_contract('[columns.t]\na = \'"my default x" not null default f("not null")\'').columns

    assert (column.type, column.is_nullable, column.default) == ('"my default x"', False, 'f("not null")')


def test_what_is_written_keeps_its_lines_and_its_reading() -> None:
    contract = Contract(
        "app",
        (RequiredTable(Name("t")), RequiredTable(Name("Odd one"))),
        columns=(
            RequiredColumn(Name("t"), "a", "integer", False),
            RequiredColumn(Name("Odd one"), "B c", "text", None),
        ),
        indexes=(RequiredIndex(None, Name("t"), ("a",), where="a > 0"),),
    )
    text = render_contract(contract, comment="first\n\nthird")
    assert (
        text
        == """\
# first
#
# third

[contract]
schema = "app"
tables = [
    "t",
    '"Odd one"',
]

[[index]]
on = "t(a)"
where = "a > 0"

[columns.t]
a = "integer not null"

[columns.'"Odd one"']
"B c" = "text"
"""
    )
    read = parse_contract(text)
    assert read == contract
    assert [t.line for t in read.tables] == [8, 9]
    assert [i.line for i in read.indexes] == [12]
    assert [c.line for c in read.columns] == [17, 20]


def test_a_contract_without_its_schema_names_only_what_is_in_others() -> None:
    own, other = (Name("t", schema) for schema in ("app", "other"))
    found = parse_contract(EVERYTHING.replace('tables = ["a", "other.b"]', 'tables = ["app.t", "other.t"]'))

    assert own in found.names
    bare = found.without_schema()
    assert bare == parse_contract(render_contract(bare))
    assert (bare.schema, Name("t") in bare.names, other in bare.names, own in bare.names) == (None, True, True, False)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("integer default 1 not null", ("integer", False, "1")),
        ("integer not null default 1", ("integer", False, "1")),
        ("integer NULL DEFAULT (1 + 2)", ("integer", True, "(1 + 2)")),
        ("text default 'a not null' null", ("text", True, "'a not null'")),
        ("text default ' default '", ("text", None, "' default '")),
        ("numeric(10, 2)   default 1.5 not null", ("numeric(10, 2)", False, "1.5")),
        ("timestamp default now() at time zone 'utc'", ("timestamp", None, "now() at time zone 'utc'")),
        ("timestamp not null default now() at time zone 'utc'", ("timestamp", False, "now() at time zone 'utc'")),
        ('"my type"[] default ARRAY[1, 2] not null', ('"my type"[]', False, "ARRAY[1, 2]")),
        ("double precision default 'é'::text not null", ("double precision", False, "'é'::text")),
    ],
)
def test_a_column_is_read_in_any_order_of_its_words(text: str, wanted: tuple[str, bool | None, str | None]) -> None:
    (column,) = parse_contract(f'[columns.t]\na = """{text}"""').columns

    assert (column.type, column.is_nullable, column.default) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "integer primary key",
        "integer references t",
        "integer null not null",
        "integer default 1 default 2",
        "integer, b integer",
        "integer); DROP TABLE t; --",
        "not null",
        "integr not nul",
        "varchar(",
        "integer default",
        'text collate "C"',
    ],
)
def test_what_is_no_column_is_refused_with_its_line(text: str) -> None:
    with pytest.raises(BadContract, match=r"contract\.toml:2: \[columns\.t\]: write a = "):
        parse_contract(f"[columns.t]\na = '{text}'")


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ('on_delete = "CASCDE"', "did you mean CASCADE?"),
        ('on_update = "SETNULL"', "did you mean SET NULL?"),
        ('match = "FUL"', "did you mean FULL?"),
        ('on_deleet = "CASCADE"', "did you mean on_delete?"),
        ('deferrable = "INITIALY DEFERRED"', "did you mean INITIALLY DEFERRED?"),
        ("[tables.a]\ndistribute_by = 'b'", "did you mean distributed_by?"),
        ("[tables.a]\ncolocate_with = 'b'", "did you mean colocated_with?"),
    ],
)
def test_a_misspelt_word_gets_the_nearest_as_a_hint(line: str, hint: str) -> None:
    with pytest.raises(BadContract) as caught:
        parse_contract(f'[[foreign_key]]\nfrom = "a(b)"\nto = "c(d)"\n{line}\n')

    assert caught.value.hint == hint


def test_a_contract_that_is_not_there_is_made_by_the_command_as_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "my files" / "contract.toml"
    with pytest.raises(BadContract) as caught:
        read_contract(path)

    command = caught.value.hint.partition(": ")[2]
    assert shlex.split(command) == ["wflo-schema", "contract", "freeze", "--output", str(path)]

"""Where a trigger function's comments, texts and names end is read as PostgreSQL reads it: each is run."""

from __future__ import annotations

import pytest
from psycopg import sql

from wflo_schema.check.effects import Effect, effect
from wflo_schema.check.outcomes import Event
from wflo_schema.connect.database import Database

KEEPS, LETS_GO, UNKNOWN = Effect.STOPS, Effect.PASSES, Effect.UNCLEAR

# Bodies of BEFORE DELETE triggers on the child, and what is known of them.
BODIES = {
    "BEGIN /* outer /* inner */ RETURN OLD; */ RETURN NULL; END": KEEPS,
    "BEGIN /* outer /* inner */ RETURN NULL; */ RETURN OLD; END": LETS_GO,
    "BEGIN /*/* */*/ RETURN NULL; /**/ RETURN OLD; END": KEEPS,
    r"DECLARE a text; BEGIN a := 'C:\'; IF OLD.id > 0 THEN RETURN NULL; END IF; a := 'D:\'; RETURN OLD; END": KEEPS,
    r"DECLARE a text; BEGIN a := E'\'; RETURN NULL; --'; RETURN OLD; END": LETS_GO,
    r"DECLARE a text; BEGIN a := E'\\'; RETURN NULL; a := E'\\'; RETURN OLD; END": KEEPS,
    r"DECLARE a text; BEGIN a := e'''\''; RETURN NULL; a := '\'; RETURN OLD; END": KEEPS,
    "BEGIN -- note\rRETURN NULL;\nRETURN OLD; END": KEEPS,
    "BEGIN -- note\fRETURN NULL;\nRETURN OLD; END": LETS_GO,
    "DECLARE a text := $a$ $$ RETURN NULL; $$ $a$; BEGIN RETURN OLD; END": LETS_GO,
    "DECLARE a text := $$ /* $$; BEGIN RETURN NULL; a := $$ */ $$; RETURN OLD; END": KEEPS,
    "DECLARE a$a$ text := $a$ -- $a$; BEGIN RETURN NULL; END": KEEPS,
    "DECLARE a text := U&'\\0027; --'; BEGIN RETURN NULL; END": KEEPS,
    "DECLARE a text := U&'--' UESCAPE '\\'; BEGIN RETURN NULL; END": KEEPS,
    'DECLARE "a -- b" text; BEGIN "a -- b" := 1; RETURN NULL; END': KEEPS,
    'DECLARE "/*" text; "*/" text; BEGIN "/*" := 1; RETURN NULL; "*/" := 1; RETURN OLD; END': KEEPS,
    'DECLARE "a""; RETURN NULL; --" int; BEGIN RETURN OLD; END': LETS_GO,
    'BEGIN RETURN "old"; END': LETS_GO,
    'BEGIN RETURN "new"; END': KEEPS,
    'BEGIN RETURN U&"\\006Fld"; END': LETS_GO,
    'BEGIN RETURN U&"\\006Eew"; END': KEEPS,
    "BEGIN RETURN U&\"!006Eew\" UESCAPE '!'; END": UNKNOWN,
    "DECLARE a text := 'x'\n'; RETURN NULL; --'; BEGIN RETURN OLD; END": LETS_GO,
    "BEGIN PERFORM 1 -- x\n; /* y */ RETURN--z\n/* OLD */ NULL; END": KEEPS,
    "BEGIN PERFORM 1 +--x; RETURN NULL;\n 1; RETURN OLD; END": LETS_GO,
    "DECLARE a int := 1; BEGIN a := a*-- 1; RETURN NULL;\n1; RETURN OLD; END": LETS_GO,
    "DECLARE a int := 4; BEGIN a := a/-1; a := a-/**/-1; RETURN NULL; END": KEEPS,
    "#variable_conflict use_column\nBEGIN IF OLD.id > 0 THEN RETURN NULL; END IF; RETURN OLD; END": KEEPS,
    "#print_strict_params on\n#variable_conflict error\nBEGIN RETURN OLD; END": LETS_GO,
    '<<a>> BEGIN <<"b -- c">> LOOP EXIT "b -- c"; END LOOP; RETURN NULL; END a': KEEPS,
    "BEGIN IF 1 << 2 > 3 THEN RETURN NULL; END IF; RETURN OLD; END": UNKNOWN,
    "BEGIN IF TG_OP = $$DELETE$$ THEN RETURN NULL; END IF; RETURN OLD; END": KEEPS,
    "BEGIN IF TG_OP <> $$DELETE$$ THEN RETURN NULL; END IF; RETURN OLD; END": LETS_GO,
    r"BEGIN IF TG_OP = E'\x44ELETE' THEN RETURN NULL; END IF; RETURN OLD; END": UNKNOWN,
    "BEGIN IF TG_OP = U&'\\0044ELETE' THEN RETURN NULL; END IF; RETURN OLD; END": UNKNOWN,
    "BEGIN IF TG_OP = 'DEL'\n'ETE' THEN RETURN NULL; END IF; RETURN OLD; END": UNKNOWN,
    "BEGIN IF TG_OP = 'DEL'\n-- x\n'ETE' THEN RETURN NULL; END IF; RETURN OLD; END": UNKNOWN,
    "BEGIN IF TG_OP IN ('INSERT', 'DEL' || 'ETE') THEN RETURN NULL; END IF; RETURN OLD; END": UNKNOWN,
    "BEGIN IF TG_OP::char = 'D' THEN RETURN NULL; END IF; RETURN OLD; END": UNKNOWN,
    "BEGIN IF TG_NARGS = '0' THEN RETURN NULL; END IF; RETURN OLD; END": UNKNOWN,
    "BEGIN IF TG_NARGS = 00 THEN RETURN NULL; END IF; RETURN OLD; END": KEEPS,
    "BEGIN IF \"tg_op\" = 'INSERT' THEN RETURN NULL; END IF; RETURN OLD; END": LETS_GO,
    "BEGIN RAISE NOTICE '%', 'RETURN NULL; --'; RETURN OLD; END": LETS_GO,
    "DECLARE é text := '🐘 -- '; BEGIN RETURN NULL; END": KEEPS,
}


@pytest.mark.parametrize("body", BODIES)
def test_what_is_said_of_a_body_is_what_postgresql_does(database: Database, body: str) -> None:
    expected = BODIES[body]
    create = sql.SQL("CREATE FUNCTION body() RETURNS trigger LANGUAGE plpgsql AS {}").format(sql.Literal(body))
    with database.connect() as connection:
        connection.execute("CREATE TABLE parent (id int PRIMARY KEY)")
        connection.execute("CREATE TABLE child (id int REFERENCES parent ON DELETE CASCADE)")
        connection.execute(create)
        connection.execute("CREATE TRIGGER t BEFORE DELETE ON child FOR EACH ROW EXECUTE FUNCTION body()")
        connection.execute("INSERT INTO parent VALUES (1)")
        connection.execute("INSERT INTO child VALUES (1)")
        connection.execute("DELETE FROM parent")
        left = connection.execute("SELECT count(*) FROM child").fetchone()
        connection.rollback()

    assert effect(body, Event("DELETE", known={"tg_nargs": "0"})) is expected
    assert expected is UNKNOWN or left == (int(expected is KEEPS),)

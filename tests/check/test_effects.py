"""What check says of everyday triggers is what PostgreSQL does: each key's action is performed and looked at.

A case is a function's body, with the key's clause, the trigger's events and its WHEN where they matter.  "yes" is
said only where the action was done for every row, "no" only where it was not for some; what is said of the rest
is "cannot tell".
"""

from __future__ import annotations

from dataclasses import dataclass

import psycopg
import pytest
from psycopg import sql

from wflo_schema.check.contract_file import parse_contract
from wflo_schema.check.verdict import check_database
from wflo_schema.connect.database import Database

pytestmark = pytest.mark.spread_over_servers

CASCADE, SET_NULL, FOLLOWS = "ON DELETE CASCADE", "ON DELETE SET NULL", "ON UPDATE CASCADE"
BOTH = "ON DELETE SET NULL ON UPDATE CASCADE"
DEFAULT = "ON DELETE SET DEFAULT"


@dataclass(frozen=True)
class Case:
    body: str
    key: str = CASCADE
    events: str = "BEFORE INSERT OR UPDATE OR DELETE"
    when: str = ""
    before: str = ""
    """Statements that come first, such as another trigger."""
    level: str = "ROW"


TOUCH_OR_OLD = """BEGIN
    IF row(NEW.*) IS DISTINCT FROM row(OLD.*) THEN NEW.changed = now(); RETURN NEW; ELSE RETURN OLD; END IF;
END"""
STAMP = "BEGIN NEW.changed = now(); RETURN NEW; END"
BY_OPERATION = """BEGIN
    IF TG_OP = 'DELETE' THEN INSERT INTO log SELECT 'D', OLD.*::text; RETURN OLD;
    ELSIF TG_OP = 'UPDATE' THEN INSERT INTO log SELECT 'U', NEW.*::text; RETURN NEW;
    ELSIF TG_OP = 'INSERT' THEN INSERT INTO log SELECT 'I', NEW.*::text; RETURN NEW; END IF;
    RETURN NULL;
END"""

HARMLESS = {
    "stamp, set null": Case(STAMP, SET_NULL, "BEFORE UPDATE"),
    "stamp, follows": Case(STAMP, FOLLOWS, "BEFORE UPDATE"),
    "stamp, set default": Case(STAMP, DEFAULT, "BEFORE UPDATE"),
    "touch or old, set null": Case(TOUCH_OR_OLD, SET_NULL, "BEFORE UPDATE"),
    "touch or old, both": Case(TOUCH_OR_OLD, BOTH, "BEFORE UPDATE"),
    "touch or old, set default": Case(TOUCH_OR_OLD, DEFAULT, "BEFORE UPDATE"),
    "touch or old by a text": Case(
        "BEGIN IF row(new.*::text) IS DISTINCT FROM row(old.*::text) THEN new.changed = now(); RETURN new; END IF;"
        " RETURN old; END",
        BOTH,
        "BEFORE UPDATE",
    ),
    "touch or old by records": Case(
        "BEGIN IF (NEW != OLD) THEN NEW.changed = CURRENT_TIMESTAMP; RETURN NEW; END IF; RETURN OLD; END",
        BOTH,
        "BEFORE UPDATE",
    ),
    "touch or old the other way round": Case(
        "BEGIN IF OLD IS NOT DISTINCT FROM NEW THEN RETURN OLD; END IF; NEW.changed := now(); RETURN NEW; END",
        BOTH,
        "BEFORE UPDATE",
    ),
    "nothing where nothing changes": Case(
        "BEGIN IF NEW IS NOT DISTINCT FROM OLD THEN RETURN NULL; END IF; RETURN NEW; END", BOTH, "BEFORE UPDATE"
    ),
    "nothing where no image changes": Case(
        "BEGIN IF to_jsonb(NEW) - 'changed' = to_jsonb(OLD) - ARRAY['changed'] THEN RETURN NULL; END IF;"
        " RETURN NEW; END",
        SET_NULL,
        "BEFORE UPDATE",
    ),
    "through a copy": Case(
        'DECLARE _new record; BEGIN _new := NEW; _new."changed" = now(); RETURN _new; END', BOTH, "BEFORE UPDATE"
    ),
    "only where another column changes": Case(
        "BEGIN IF NEW.status IS DISTINCT FROM OLD.status THEN NEW.changed = now(); END IF; RETURN NEW; END",
        BOTH,
        "BEFORE UPDATE",
    ),
    "no step back, refused without a word": Case(
        "BEGIN IF NEW.status <> OLD.status THEN RETURN OLD; END IF; RETURN NEW; END", BOTH, "BEFORE UPDATE"
    ),
    "WHEN nothing changes": Case(
        "BEGIN RETURN NULL; END", BOTH, "BEFORE UPDATE", "OLD.* IS NOT DISTINCT FROM NEW.*"
    ),
    "WHEN another column changes": Case(
        "BEGIN RETURN OLD; END", BOTH, "BEFORE UPDATE", "OLD.status IS DISTINCT FROM NEW.status"
    ),
    "WHEN something changes": Case(STAMP, BOTH, "BEFORE UPDATE", "OLD.* IS DISTINCT FROM NEW.*"),
    "created stays": Case(
        """BEGIN
            NEW.created = (CASE WHEN TG_OP = 'INSERT' THEN now() ELSE OLD.created END);
            NEW.changed = (CASE WHEN TG_OP = 'UPDATE' AND OLD.changed >= now()
                THEN OLD.changed + interval '1 ms' ELSE now() END);
            RETURN NEW;
        END""",
        BOTH,
        "BEFORE INSERT OR UPDATE",
    ),
    "owner set on insert": Case(
        "BEGIN IF TG_OP = 'INSERT' THEN NEW.parent_id := coalesce(NEW.parent_id, 1); END IF; RETURN NEW; END",
        SET_NULL,
        "BEFORE INSERT OR UPDATE",
    ),
    "put back only where nothing is given, follows": Case(
        "BEGIN NEW.parent_id := coalesce(NEW.parent_id, OLD.parent_id); RETURN NEW; END", FOLLOWS, "BEFORE UPDATE"
    ),
    "put back only where it is NULL, follows": Case(
        "BEGIN IF NEW.parent_id IS NULL THEN NEW.parent_id := OLD.parent_id; END IF; RETURN NEW; END",
        FOLLOWS,
        "BEFORE UPDATE",
    ),
    "immutable, but for keys": Case(
        """BEGIN
            IF pg_trigger_depth() < 2 AND NEW.parent_id IS DISTINCT FROM OLD.parent_id THEN
                RAISE EXCEPTION 'parent_id does not change';
            END IF;
            RETURN NEW;
        END""",
        SET_NULL,
        "BEFORE UPDATE",
    ),
    "search vector": Case(
        "BEGIN NEW.title := setweight(to_tsvector(coalesce(NEW.title, '')), 'A')::text; RETURN NEW; END",
        BOTH,
        "BEFORE INSERT OR UPDATE",
    ),
    "audit by operation, cascade": Case(BY_OPERATION),
    "audit by operation, set null": Case(BY_OPERATION, BOTH),
    "audit in a CASE": Case(
        """BEGIN
            INSERT INTO log VALUES (TG_OP, (CASE WHEN TG_OP = 'INSERT' THEN NEW ELSE OLD END)::text);
            RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
        END"""
    ),
    "audit in a variable": Case(
        """DECLARE kept record;
        BEGIN
            IF (TG_OP = 'DELETE') THEN kept = OLD; ELSE kept = NEW; END IF;
            EXECUTE format('INSERT INTO log VALUES (%L, $1)', TG_TABLE_NAME) USING kept::text;
            RETURN kept;
        END"""
    ),
    "audit with a handler": Case(
        """BEGIN
            BEGIN INSERT INTO nowhere VALUES (OLD.id);
            EXCEPTION WHEN undefined_table THEN RAISE NOTICE 'no log'; WHEN OTHERS THEN RAISE WARNING '%', SQLERRM; END;
            RETURN OLD;
        END""",
        events="BEFORE DELETE",
    ),
    "COALESCE": Case("BEGIN INSERT INTO log VALUES (TG_OP, ''); RETURN COALESCE(NEW, OLD); END"),
    "refuses some deletes aloud": Case(
        "BEGIN IF OLD.status = 'locked for ever' THEN RAISE EXCEPTION 'locked'; END IF; RETURN OLD; END",
        events="BEFORE DELETE",
    ),
    "soft delete asks its depth": Case(
        "BEGIN IF pg_trigger_depth() > 1 THEN RETURN OLD; END IF;"
        " UPDATE child SET deleted = now() WHERE id = OLD.id; RETURN NULL; END",
        events="BEFORE DELETE",
    ),
    "soft delete WHEN nobody cascades": Case(
        "BEGIN UPDATE child SET deleted = now() WHERE id = OLD.id; RETURN NULL; END",
        events="BEFORE DELETE",
        when="pg_trigger_depth() = 0",
    ),
    "counter": Case(
        """BEGIN
            IF TG_OP = 'INSERT' THEN UPDATE parent SET name = 'more' WHERE id = NEW.parent_id; RETURN NEW;
            ELSIF TG_OP = 'DELETE' THEN UPDATE parent SET name = 'less' WHERE id = OLD.parent_id; RETURN OLD;
            END IF;
            RETURN NULL;
        END""",
        events="BEFORE INSERT OR DELETE",
    ),
    "copy of a column": Case(
        'BEGIN NEW."title" := NEW."parent_id"; RETURN NEW; END', BOTH, "BEFORE INSERT OR UPDATE"
    ),
    "loop over rows": Case(
        "DECLARE r record; BEGIN FOR r IN SELECT * FROM log LOOP"
        " IF r.what = 'x' THEN CONTINUE; END IF; PERFORM 1; END LOOP; RETURN OLD; END",
        events="BEFORE DELETE",
    ),
    "many conditions on other columns": Case(
        "BEGIN IF NEW.title IS NULL THEN NEW.title := ''; ELSIF length(NEW.title) > 80 THEN"
        " NEW.title := left(NEW.title, 80); END IF; IF NEW.status = 'x' AND (OLD.locked OR NEW.deleted IS NULL) THEN"
        " NEW.changed := now(); END IF; RETURN NEW; END",
        BOTH,
        "BEFORE UPDATE",
    ),
    "WHEN it is not what the function stops": Case(
        "BEGIN IF OLD.status = 'paid' THEN RETURN NULL; END IF; RETURN OLD; END",
        events="BEFORE DELETE",
        when="OLD.status = 'sent'",
    ),
    "a counter that is not what it stops at": Case(
        "DECLARE n int := 0; BEGIN n := 2; IF n = 1 THEN RETURN NULL; END IF; RETURN OLD; END", events="BEFORE DELETE"
    ),
    "a variable of the column's type": Case(
        "DECLARE s child.status%TYPE := OLD.status; t text := s; BEGIN"
        " IF s IS DISTINCT FROM t THEN RETURN NULL; END IF; RETURN OLD; END",
        events="BEFORE DELETE",
    ),
    "all spellings of a boolean": Case(
        "BEGIN IF OLD.locked NOT IN ('t', 'off') THEN RETURN NULL; END IF; RETURN OLD; END", events="BEFORE DELETE"
    ),
    "a column as a text": Case(
        "BEGIN IF OLD.status::text = 'a' AND OLD.status = 'b' THEN RETURN NULL; END IF; RETURN OLD; END",
        events="BEFORE DELETE",
    ),
    "images of nothing": Case(
        "BEGIN IF NEW *<> OLD THEN RETURN NULL; END IF; RETURN OLD; END", events="BEFORE DELETE"
    ),
    "after, a row": Case("BEGIN INSERT INTO log VALUES (TG_OP, ''); RETURN NULL; END", events="AFTER DELETE"),
    "another table's": Case(
        "BEGIN IF TG_TABLE_NAME <> 'child' OR TG_ARGV[0] IS NOT NULL THEN RETURN NULL; END IF; RETURN OLD; END",
        events="BEFORE DELETE",
    ),
    "moves the rows of others": Case(
        "BEGIN UPDATE child SET title = 'x' WHERE parent_id <> OLD.parent_id; RETURN OLD; END", events="BEFORE DELETE"
    ),
    "touches its row afterwards": Case(
        "BEGIN UPDATE child SET changed = now() WHERE id = OLD.id; RETURN NULL; END", events="AFTER DELETE"
    ),
    "touches its row afterwards, set null": Case(
        "BEGIN UPDATE child SET changed = now() WHERE id = OLD.id; RETURN NULL; END",
        SET_NULL,
        "AFTER UPDATE OF parent_id",
    ),
    "touches its row, but in no cascade": Case(
        "BEGIN IF pg_trigger_depth() < 2 THEN UPDATE child SET changed = now() WHERE id = OLD.id; END IF;"
        " RETURN OLD; END",
        events="BEFORE DELETE",
    ),
    "touches its row, and takes it back": Case(
        "BEGIN BEGIN UPDATE child SET changed = now() WHERE id = OLD.id; RAISE 'x'; EXCEPTION WHEN OTHERS THEN NULL;"
        " END; RETURN OLD; END",
        events="BEFORE DELETE",
    ),
    "touches another table of such columns": Case(
        "BEGIN UPDATE log SET said = 'x' WHERE what = OLD.title; DELETE FROM log WHERE what = OLD.title;"
        " EXECUTE 'UPDATE log SET said = $1' USING OLD.title; RETURN OLD; END",
        events="BEFORE DELETE",
    ),
    "touches nothing": Case(
        "BEGIN UPDATE child SET title = 'x' WHERE false; RETURN OLD; END", events="BEFORE DELETE"
    ),
    "locks its row": Case(
        "BEGIN PERFORM 1 FROM child WHERE id = OLD.id FOR UPDATE; RETURN OLD; END", events="BEFORE DELETE"
    ),
    "touches others, before a statement": Case(
        "BEGIN UPDATE child SET title = 'x' WHERE parent_id IS NULL; RETURN NULL; END", events="BEFORE DELETE",
        level="STATEMENT",
    ),
    "stops where all of several are NULL": Case(
        "BEGIN IF (NEW.parent_id, NEW.id) IS NULL OR ROW(NEW.parent_id, NEW.locked) IS NULL THEN RETURN NULL; END IF;"
        " RETURN NEW; END",
        SET_NULL,
        "BEFORE UPDATE",
    ),
    "stops what a CHECK forbids": Case(
        "BEGIN IF OLD.status = 'archived' THEN RETURN NULL; END IF; RETURN OLD; END",
        events="BEFORE DELETE",
        before="ALTER TABLE child ADD CHECK (status IN ('draft', 'sent', 'paid'))",
    ),
    "stops what a CHECK and a NOT NULL forbid": Case(
        "BEGIN IF OLD.status = 'archived' THEN RETURN NULL; END IF; RETURN OLD; END",
        events="BEFORE DELETE",
        before="ALTER TABLE child ADD CHECK (locked IS NULL OR status <> 'archived')",
    ),
    "stops what two CHECKs forbid": Case(
        "BEGIN IF OLD.locked AND OLD.status = 'draft' THEN RETURN NULL; END IF; RETURN OLD; END",
        events="BEFORE DELETE",
        before="ALTER TABLE child ADD CHECK (NOT locked OR deleted IS NOT NULL),"
        " ADD CHECK (deleted IS NULL OR status <> 'draft')",
    ),
    "touches a namesake": Case(
        "BEGIN UPDATE other.child SET title = 'x'; RETURN OLD; END",
        events="BEFORE DELETE",
        before="CREATE SCHEMA other; CREATE TABLE other.child (title text)",
    ),
    "touches all, for a statement afterwards": Case(
        "BEGIN UPDATE child SET changed = now(); RETURN NULL; END", events="AFTER DELETE", level="STATEMENT"
    ),
}  # fmt: skip

HARMFUL = {
    "keep": Case("BEGIN RETURN NULL; END", events="BEFORE DELETE"),
    "soft delete": Case(
        "BEGIN UPDATE child SET deleted = now() WHERE id = OLD.id; RETURN NULL; END", events="BEFORE DELETE"
    ),
    "soft delete once": Case(
        "BEGIN IF OLD.deleted IS NOT NULL THEN RETURN OLD; END IF;"
        " EXECUTE format('UPDATE %I SET deleted = now() WHERE id = $1', TG_TABLE_NAME) USING OLD.id; RETURN NULL; END",
        events="BEFORE DELETE",
    ),
    "NEW of a delete": Case("BEGIN INSERT INTO log VALUES (TG_OP, OLD.*::text); RETURN NEW; END"),
    "touch and forget the delete": Case(
        "BEGIN IF TG_OP = 'UPDATE' THEN NEW.changed = now(); END IF; RETURN NEW; END"
    ),
    "keeps what is locked": Case(
        "BEGIN IF OLD.locked THEN RETURN NULL; END IF; RETURN OLD; END", events="BEFORE DELETE"
    ),
    "keeps one of three": Case(
        "BEGIN CASE OLD.status WHEN 'draft', 'sent' THEN RETURN OLD; WHEN 'paid' THEN RETURN NULL;"
        " ELSE RETURN OLD; END CASE; END",
        events="BEFORE DELETE",
    ),
    "keeps all but drafts": Case(
        "DECLARE is_draft boolean := OLD.status = 'draft'; BEGIN IF is_draft THEN RETURN OLD; END IF; RETURN NULL; END",
        events="BEFORE DELETE",
    ),
    "WHEN it is locked": Case("BEGIN RETURN NULL; END", events="BEFORE DELETE", when="OLD.locked"),
    "WHEN in a cascade": Case("BEGIN RETURN NULL; END", events="BEFORE DELETE", when="pg_trigger_depth() > 0"),
    "shadowed": Case(
        "DECLARE r child := NULL; BEGIN DECLARE r child := OLD; BEGIN PERFORM r; END; RETURN r; END",
        events="BEFORE DELETE",
    ),
    "shadowed, and left by EXIT": Case(
        "DECLARE r child; BEGIN LOOP DECLARE r child := OLD; BEGIN EXIT; END; END LOOP; RETURN r; END",
        events="BEFORE DELETE",
    ),
    "shadowed, and left by an error": Case(
        "DECLARE r child; BEGIN DECLARE r child := OLD; BEGIN RAISE 'x'; END; EXCEPTION WHEN OTHERS THEN RETURN r; END",
        events="BEFORE DELETE",
    ),
    "an error is thrown and caught": Case(
        "BEGIN RAISE EXCEPTION 'no'; EXCEPTION WHEN OTHERS THEN RETURN NULL; END", events="BEFORE DELETE"
    ),
    "a loop that ends at once": Case(
        "BEGIN <<l>> LOOP EXIT l WHEN OLD.locked; RETURN OLD; END LOOP; RETURN NULL; END", events="BEFORE DELETE"
    ),
    "never changes": Case("BEGIN RETURN OLD; END", SET_NULL, "BEFORE UPDATE"),
    "never changes, follows": Case("BEGIN RETURN OLD; END", FOLLOWS, "BEFORE UPDATE"),
    "put back": Case("BEGIN NEW.parent_id := OLD.parent_id; RETURN NEW; END", BOTH, "BEFORE UPDATE"),
    "put back where nothing is given": Case(
        "BEGIN NEW.parent_id := coalesce(NEW.parent_id, OLD.parent_id); RETURN NEW; END", SET_NULL, "BEFORE UPDATE"
    ),
    "put back where it is NULL": Case(
        "BEGIN IF NEW.parent_id IS NULL THEN NEW.parent_id := OLD.parent_id; END IF; RETURN NEW; END",
        SET_NULL,
        "BEFORE UPDATE OF parent_id",
    ),
    "old where the key changes": Case(
        "BEGIN IF NEW.parent_id IS DISTINCT FROM OLD.parent_id THEN RETURN OLD; END IF; RETURN NEW; END",
        BOTH,
        "BEFORE UPDATE",
    ),
    "<> is not true of a NULL": Case(
        "BEGIN IF NEW.parent_id <> OLD.parent_id THEN NEW.changed = now(); RETURN NEW; END IF; RETURN OLD; END",
        SET_NULL,
        "BEFORE UPDATE",
    ),
    "ROW <> ROW is not true of a NULL": Case(
        "BEGIN IF ROW(NEW.*) <> ROW(OLD.*) THEN RETURN NEW; END IF; RETURN OLD; END", SET_NULL, "BEFORE UPDATE"
    ),
    "the image without the key is the same": Case(
        "BEGIN IF to_jsonb(NEW) - 'parent_id' = to_jsonb(OLD) - 'parent_id' THEN RETURN OLD; END IF; RETURN NEW; END",
        SET_NULL,
        "BEFORE UPDATE",
    ),
    "WHEN the key changes": Case(
        "BEGIN RETURN NULL; END", SET_NULL, "BEFORE UPDATE", "OLD.parent_id IS DISTINCT FROM NEW.parent_id"
    ),
    "immutable": Case(
        "BEGIN IF NEW.parent_id IS DISTINCT FROM OLD.parent_id THEN RAISE EXCEPTION 'no'; END IF; RETURN NEW; END",
        BOTH,
        "BEFORE UPDATE",
    ),
    "append only": Case("BEGIN RAISE EXCEPTION 'append only'; END", events="BEFORE UPDATE OR DELETE"),
    "keeps the old default": Case("BEGIN RETURN OLD; END", DEFAULT, "BEFORE UPDATE"),
    "an alias that ends": Case(
        "DECLARE r child; BEGIN DECLARE r ALIAS FOR OLD; BEGIN PERFORM r.id; END; RETURN r; END", events="BEFORE DELETE"
    ),
    "an alias of an alias": Case(
        "DECLARE o ALIAS FOR NEW; n ALIAS FOR o; BEGIN n.parent_id := OLD.parent_id; RETURN NEW; END",
        SET_NULL,
        "BEFORE UPDATE",
    ),
    "WHEN it is what the function stops": Case(
        "BEGIN IF OLD.status = 'paid' THEN RETURN NULL; END IF; RETURN OLD; END",
        events="BEFORE DELETE",
        when="OLD.status IN ('paid', 'sent')",
    ),
    "a variable behind its block's label": Case(
        "<<o>> DECLARE r child := OLD; BEGIN DECLARE r child; BEGIN o.r := NULL; END; RETURN r; END",
        events="BEFORE DELETE",
    ),
    "a row behind the function's name": Case("BEGIN body.new := OLD; RETURN NEW; END", SET_NULL, "BEFORE UPDATE"),
    "an alias behind its block's label": Case(
        "<<o>> DECLARE n ALIAS FOR NEW; BEGIN DECLARE n child; BEGIN o.n.parent_id := OLD.parent_id; END;"
        " RETURN NEW; END",
        SET_NULL,
        "BEFORE UPDATE",
    ),
    "two spellings of one integer": Case(
        "BEGIN IF OLD.id = '1' THEN IF OLD.id = '01' THEN RETURN NULL; END IF; END IF; RETURN OLD; END",
        events="BEFORE DELETE",
    ),
    "two spellings of one boolean": Case(
        "BEGIN IF OLD.locked = 'yes' AND OLD.locked = 't' THEN RETURN NULL; END IF; RETURN OLD; END",
        events="BEFORE DELETE",
    ),
    "two spellings, one in WHEN": Case(
        "BEGIN IF OLD.id = '01' THEN RETURN NULL; END IF; RETURN OLD; END", events="BEFORE DELETE", when="OLD.id = '1'"
    ),
    "no spelling of false": Case(
        "BEGIN IF OLD.locked NOT IN ('off', 'f') THEN RETURN NULL; END IF; RETURN OLD; END", events="BEFORE DELETE"
    ),
    "the old row selected": Case(
        "BEGIN SELECT OLD.parent_id INTO NEW.parent_id; RETURN NEW; END", SET_NULL, "BEFORE UPDATE"
    ),
    "an alias": Case(
        "DECLARE o ALIAS FOR OLD; n ALIAS FOR NEW; BEGIN n := o; RETURN n; END", SET_NULL, "BEFORE UPDATE"
    ),
    "touches its row": Case(
        "BEGIN UPDATE child SET changed = now() WHERE id = OLD.id; RETURN OLD; END", events="BEFORE DELETE"
    ),
    "touches its row by another name": Case(
        "BEGIN UPDATE ONLY public.child AS c SET changed = now() WHERE OLD.id = c.id; RETURN OLD; END",
        events="BEFORE DELETE",
    ),
    "touches its row by a variable": Case(
        "DECLARE which int := OLD.id; BEGIN UPDATE child SET changed = now() WHERE child.id = which; RETURN OLD; END",
        events="BEFORE DELETE",
    ),
    "touches its row and reads it back": Case(
        "DECLARE was text; BEGIN UPDATE child SET changed = now() WHERE id = OLD.id RETURNING title INTO was;"
        " RETURN OLD; END",
        events="BEFORE DELETE",
    ),
    "touches its row in a WITH": Case(
        "BEGIN WITH its AS (UPDATE child SET changed = now() WHERE id = OLD.id RETURNING *)"
        " INSERT INTO log SELECT 'x', title FROM its; RETURN OLD; END",
        events="BEFORE DELETE",
    ),
    "touches its row if it is locked": Case(
        "BEGIN IF OLD.locked THEN UPDATE child SET locked = false WHERE id = OLD.id; END IF; RETURN OLD; END",
        events="BEFORE DELETE",
    ),
    "touches its row where it is locked": Case(
        "BEGIN UPDATE child SET locked = false WHERE id = OLD.id AND locked; RETURN OLD; END", events="BEFORE DELETE"
    ),
    "touches its row beside a stamp": Case(
        "BEGIN UPDATE child SET title = 'x' WHERE id = OLD.id; RETURN OLD; END",
        events="BEFORE DELETE",
        before="CREATE FUNCTION a() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN NEW.changed := now(); RETURN NEW; END'; CREATE TRIGGER a BEFORE UPDATE ON child"
        " FOR EACH ROW EXECUTE FUNCTION a()",
    ),
    "touches all of its parent's": Case(
        "BEGIN UPDATE child SET title = 'x' WHERE parent_id = OLD.parent_id; RETURN OLD; END", events="BEFORE DELETE"
    ),
    "touches all": Case("BEGIN UPDATE child SET title = 'x'; RETURN OLD; END", events="BEFORE DELETE"),
    "stops unless none of several is NULL": Case(
        "BEGIN IF (NEW.parent_id, NEW.id) IS NOT NULL THEN RETURN NEW; END IF; RETURN NULL; END",
        SET_NULL,
        "BEFORE UPDATE",
    ),
    "stops where several are NULL": Case(
        "BEGIN IF (NEW.parent_id, NEW.status) IS NULL THEN RETURN NULL; END IF; RETURN NEW; END",
        SET_NULL,
        "BEFORE UPDATE",
    ),
    "stops before a later trigger sets it": Case(
        "BEGIN IF OLD.locked THEN RETURN NULL; END IF; RETURN NEW; END",
        SET_NULL,
        "BEFORE UPDATE",
        before="CREATE FUNCTION z() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN NEW.parent_id := 0; RETURN NEW; END'; CREATE TRIGGER z BEFORE UPDATE ON child"
        " FOR EACH ROW EXECUTE FUNCTION z()",
    ),
    "stops what a CHECK allows": Case(
        "BEGIN IF OLD.status = 'paid' THEN RETURN NULL; END IF; RETURN OLD; END",
        events="BEFORE DELETE",
        before="ALTER TABLE child ADD CHECK (status IN ('draft', 'sent', 'paid') AND id > 0)",
    ),
    "stops what a CHECK forbids to new rows": Case(
        "BEGIN IF OLD.status = 'paid' THEN RETURN NULL; END IF; RETURN OLD; END",
        events="BEFORE DELETE",
        before="ALTER TABLE child ADD CHECK (status <> 'paid') NOT VALID",
    ),
    "touches some, for a statement": Case(
        "BEGIN UPDATE child SET title = 'x' WHERE status = 'paid' AND parent_id IS NOT NULL; RETURN NULL; END",
        events="BEFORE DELETE",
        level="STATEMENT",
    ),
    "touches all, for a statement": Case(
        "BEGIN UPDATE child SET title = 'x'; RETURN NULL; END", events="BEFORE DELETE", level="STATEMENT"
    ),
    "deletes its row itself": Case(
        "BEGIN IF pg_trigger_depth() < 3 THEN DELETE FROM child WHERE id = OLD.id; END IF; RETURN OLD; END",
        events="BEFORE DELETE",
    ),
    "touches its row, set null": Case(
        "BEGIN UPDATE child SET changed = now() WHERE id = NEW.id; RETURN NEW; END",
        SET_NULL,
        "BEFORE UPDATE OF parent_id",
    ),
    "touches its row, follows": Case(
        "BEGIN UPDATE child SET changed = now() WHERE id = NEW.id; RETURN NEW; END",
        FOLLOWS,
        "BEFORE UPDATE OF parent_id",
    ),
}  # fmt: skip

# What a variable or column makes of a value is another value: 1 of '01', true of 'yes', 2 of 1.6.
CHANGED_BY_ITS_TYPE = {
    f"{type_} := {value}, which is {other}": Case(
        f"DECLARE x {type_} := {value}; BEGIN IF x = {other} THEN RETURN NULL; END IF; RETURN OLD; END",
        events="BEFORE DELETE",
    )
    for type_, value, other in (
        ("int", "'01'", "'1'"),
        ("int", "1.6", "2"),
        ("boolean", "'yes'", "'t'"),
        ("char(3)", "'a'", "'a  '"),
        ("varchar[]", "'{a}'", "'{\"a\"}'"),
        ("date", "'2020-01-01'", "'2020-1-1'"),
        ("child.id%TYPE", "'01'", "'1'"),
        ("numeric(3, 0)", "1.6", "2"),
        ("numeric(3, 0)", "'1.6'", "2"),
    )
}
UNCERTAIN: dict[str, Case] = CHANGED_BY_ITS_TYPE | {
    "assigned later": Case(
        "DECLARE x int; BEGIN x := 1.6; IF x = 2 THEN RETURN NULL; END IF; RETURN OLD; END", events="BEFORE DELETE"
    ),
    "rounded on its way into a variable": Case(
        "DECLARE x date := OLD.deleted; BEGIN IF x <> OLD.deleted THEN RETURN NULL; END IF; RETURN OLD; END",
        events="BEFORE DELETE",
    ),
    "changed by its column's type": Case(
        "BEGIN NEW.locked := 'yes'; IF NEW.locked = 't' THEN RETURN OLD; END IF; RETURN NEW; END",
        SET_NULL,
        "BEFORE UPDATE",
    ),
    "a NULL that a later trigger fills": Case(
        "BEGIN IF NEW.locked IS NULL THEN OLD.locked := false; RETURN OLD; END IF; RETURN NEW; END",
        SET_NULL,
        "BEFORE UPDATE",
        before="CREATE FUNCTION a() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.locked := NULL; RETURN NEW; END';"
        " CREATE TRIGGER a BEFORE UPDATE ON child FOR EACH ROW EXECUTE FUNCTION a()",
    ),
    "a generated column is NULL until it is computed": Case(
        "BEGIN IF NEW.g IS DISTINCT FROM OLD.g THEN RETURN OLD; END IF; RETURN NEW; END",
        SET_NULL,
        "BEFORE UPDATE",
        before="ALTER TABLE child ADD g int GENERATED ALWAYS AS (id * 2) STORED",
    ),
    "fired by what a column is generated from": Case(
        "BEGIN RETURN OLD; END",
        SET_NULL,
        "BEFORE UPDATE OF g",
        before="ALTER TABLE child ADD g int GENERATED ALWAYS AS (coalesce(parent_id, 0)) STORED",
    ),
    "a rule comes first": Case(
        "BEGIN RETURN OLD; END",
        events="BEFORE DELETE",
        before="CREATE RULE r AS ON DELETE TO child DO ALSO UPDATE child SET parent_id = 0 WHERE id = OLD.id",
    ),
    "a NULL for each column of a row": Case(
        "DECLARE r child; BEGIN SELECT NULL INTO r; RETURN r; END", events="BEFORE DELETE"
    ),
    "a setting decides": Case(
        "BEGIN IF current_setting('app.keep', true) = 'on' THEN RETURN NULL; END IF; RETURN OLD; END",
        events="BEFORE DELETE",
    ),
    "rows decide": Case(
        "BEGIN IF EXISTS (SELECT FROM log WHERE what = 'keep') THEN RETURN NULL; END IF; RETURN OLD; END",
        events="BEFORE DELETE",
    ),
    "a setting decides, and it is on": Case(
        "BEGIN IF current_setting('app.keep', true) = 'on' THEN RETURN NULL; END IF; RETURN OLD; END",
        events="BEFORE DELETE",
        before="SET app.keep = 'on'",
    ),
    "the role decides": Case(
        "BEGIN IF current_user = 'nobody' THEN RETURN OLD; END IF; RETURN NULL; END", events="BEFORE DELETE"
    ),
    "a handler that may be reached": Case(
        "BEGIN INSERT INTO nowhere VALUES (1); RETURN OLD; EXCEPTION WHEN OTHERS THEN RETURN NULL; END",
        events="BEFORE DELETE",
    ),
    "a handler that is not": Case(
        "BEGIN INSERT INTO log VALUES ('x', ''); RETURN OLD; EXCEPTION WHEN OTHERS THEN RETURN NULL; END",
        events="BEFORE DELETE",
    ),
    "a row from elsewhere": Case(
        "BEGIN SELECT * INTO NEW FROM child WHERE id = OLD.id; RETURN NEW; END", SET_NULL, "BEFORE UPDATE"
    ),
    "a NULL column that is never NULL": Case(
        "BEGIN IF f(OLD.id) IS NULL THEN RETURN NULL; END IF; RETURN OLD; END",
        events="BEFORE DELETE",
        before="CREATE FUNCTION f(int) RETURNS int LANGUAGE sql AS 'SELECT $1'",
    ),
    "what an earlier trigger changed": Case(
        "BEGIN IF NEW.status IS DISTINCT FROM OLD.status THEN RETURN OLD; END IF; RETURN NEW; END",
        SET_NULL,
        "BEFORE UPDATE",
        before="CREATE FUNCTION a() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN NEW.status := ''new''; RETURN NEW; END'; CREATE TRIGGER a BEFORE UPDATE ON child"
        " FOR EACH ROW EXECUTE FUNCTION a()",
    ),
    "touches its row in a loop's head": Case(
        "DECLARE r record; BEGIN FOR r IN UPDATE child SET changed = now() WHERE id = OLD.id RETURNING * LOOP NULL;"
        " END LOOP; RETURN OLD; END",
        events="BEFORE DELETE",
    ),
    "closes the gap": Case(
        "BEGIN UPDATE child SET title = 'x' WHERE parent_id = OLD.parent_id AND id > OLD.id; RETURN OLD; END",
        events="BEFORE DELETE",
    ),
    "puts back what a later trigger sets": Case(
        "BEGIN RETURN OLD; END",
        SET_NULL,
        "BEFORE UPDATE",
        before="CREATE FUNCTION z() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN NEW.parent_id := 0; RETURN NEW; END'; CREATE TRIGGER z BEFORE UPDATE ON child"
        " FOR EACH ROW EXECUTE FUNCTION z()",
    ),
    "stops what a CHECK may forbid": Case(
        "BEGIN IF OLD.status = 'paid' THEN RETURN NULL; END IF; RETURN OLD; END",
        events="BEFORE DELETE",
        before="ALTER TABLE child ADD CHECK (hashtext(status) <> 0)",
    ),
    "touches what a CHECK forbids": Case(
        "BEGIN UPDATE child SET title = 'x' WHERE id = OLD.id AND status = 'archived'; RETURN OLD; END",
        events="BEFORE DELETE",
        before="ALTER TABLE child ADD CHECK (status <> 'archived')",
    ),
    "touches the next one": Case(
        "BEGIN UPDATE child SET title = 'x' WHERE id = OLD.id + 1; RETURN OLD; END", events="BEFORE DELETE"
    ),
    "touches its row by a text": Case(
        "BEGIN EXECUTE format('UPDATE %I SET changed = now() WHERE id = $1', TG_TABLE_NAME) USING OLD.id; RETURN OLD;"
        " END",
        events="BEFORE DELETE",
    ),
    "touches its row by a text in pieces": Case(
        "BEGIN EXECUTE 'DELETE FROM ' || TG_TABLE_NAME || ' WHERE false'; RETURN OLD; END", events="BEFORE DELETE"
    ),
    "touches its row by a text in a variable": Case(
        "DECLARE q text := 'UPDATE child SET changed = now()'; BEGIN EXECUTE q; RETURN OLD; END",
        events="BEFORE DELETE",
    ),
    "touches its row in a conflict": Case(
        "BEGIN INSERT INTO child (id) VALUES (OLD.id) ON CONFLICT (id) DO UPDATE SET changed = now(); RETURN OLD; END",
        events="BEFORE DELETE",
    ),
    "touches what is joined": Case(
        "BEGIN UPDATE child c SET title = 'x' FROM log l WHERE c.id = OLD.id AND l.what = 'x'; RETURN OLD; END",
        events="BEFORE DELETE",
    ),
    "touches its row, and another trigger forbids it": Case(
        "BEGIN UPDATE child SET title = 'x' WHERE id = OLD.id; RETURN OLD; END",
        events="BEFORE DELETE",
        before="CREATE FUNCTION a() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN RETURN NULL; END'; CREATE TRIGGER a BEFORE UPDATE ON child"
        " FOR EACH ROW EXECUTE FUNCTION a()",
    ),
}  # fmt: skip

TABLES = """
CREATE TABLE log (what text, said text);
CREATE TABLE parent (id int PRIMARY KEY, name text);
CREATE TABLE child (
    id int PRIMARY KEY, parent_id int DEFAULT 0 CONSTRAINT child_fk REFERENCES parent {key},
    title text, status text, locked boolean NOT NULL DEFAULT false,
    created timestamptz, changed timestamptz, deleted timestamptz
);
CREATE INDEX ON child (parent_id);
INSERT INTO parent VALUES (0, 'default'), (1, 'one');
INSERT INTO child (id, parent_id, title, status, locked, deleted) VALUES
    (1, 1, 'a', 'draft', false, NULL), (2, 1, 'b', 'sent', true, now()), (3, 1, NULL, 'paid', false, NULL),
    (4, 1, 'd', NULL, true, now());
"""


def _is_done(connection: psycopg.Connection[tuple[object, ...]], key: str) -> bool:
    """Perform each action of the key: whether it was done for every row."""
    actions = [statement for word, statement in (
        ("ON UPDATE", "UPDATE parent SET id = 9 WHERE id = 1"), ("ON DELETE", "DELETE FROM parent WHERE id IN (1, 9)")
    ) if word in key]  # fmt: skip
    for action in actions:
        try:
            with connection.transaction():
                connection.execute(action.encode())
        except psycopg.Error:
            return False
        lost = connection.execute(
            "SELECT count(*) FROM child WHERE parent_id IS NOT NULL AND parent_id NOT IN (SELECT id FROM parent)"
        ).fetchone()
        if lost != (0,):
            return False
    return True


def _verdict_and_truth(database: Database, case: Case) -> tuple[str, bool]:
    clauses = {"on_delete": "NO ACTION", "on_update": "NO ACTION"}
    for clause in case.key.split("ON ")[1:]:
        verb, _, action = clause.strip().partition(" ")
        clauses[f"on_{verb.lower()}"] = action
    contract = parse_contract(
        '[[foreign_key]]\nname = "child_fk"\nfrom = "child(parent_id)"\nto = "parent(id)"\n'
        + "".join(f'{name} = "{action}"\n' for name, action in clauses.items())
    )
    create = sql.SQL("CREATE FUNCTION body() RETURNS trigger LANGUAGE plpgsql AS {}").format(sql.Literal(case.body))
    when = f"WHEN ({case.when})" if case.when else ""
    with database.connect() as connection:
        connection.execute(TABLES.replace("{key}", case.key).encode())
        connection.execute(case.before.encode())
        connection.execute(create)
        connection.execute(
            f"CREATE TRIGGER t {case.events} ON child FOR EACH {case.level} {when} EXECUTE FUNCTION body()".encode()
        )
        result = check_database(database, contract, only=("contract",))
        (key,) = [v for v in result.verified if v.kind == "foreign key"]
        return key.verdict, _is_done(connection, case.key)


@pytest.mark.parametrize("name", HARMLESS)
def test_a_trigger_that_lets_the_key_act_is_no_finding(database: Database, name: str) -> None:
    assert _verdict_and_truth(database, HARMLESS[name]) == ("yes", True)


@pytest.mark.parametrize("name", HARMFUL)
def test_a_trigger_that_surely_stops_the_key_is_an_error(database: Database, name: str) -> None:
    assert _verdict_and_truth(database, HARMFUL[name]) == ("no", False)


@pytest.mark.parametrize("name", UNCERTAIN)
def test_a_trigger_that_may_stop_the_key_is_neither(database: Database, name: str) -> None:
    assert _verdict_and_truth(database, UNCERTAIN[name])[0] == "cannot tell"


TWO_COLUMNS = """
CREATE TABLE parent (a int, b int, PRIMARY KEY (a, b));
CREATE TABLE child (
    id int PRIMARY KEY, a int, b int, status text,
    CONSTRAINT child_fk FOREIGN KEY (a, b) REFERENCES parent {key} ON DELETE SET NULL
);
INSERT INTO parent VALUES (1, 1), (2, 2);
INSERT INTO child VALUES (1, 1, 1, 'x'), (2, 1, 1, NULL);
"""


def _verdict_of_two_columns(database: Database, match: str, triggers: dict[str, str]) -> tuple[str, bool]:
    contract = parse_contract(
        '[[foreign_key]]\nname = "child_fk"\nfrom = "child(a, b)"\nto = "parent(a, b)"\non_delete = "SET NULL"\n'
        + (f'match = "{match}"\n' if match else "")
    )
    with database.connect() as connection:
        connection.execute(TWO_COLUMNS.replace("{key}", match and f"MATCH {match}").encode())
        for name, body in triggers.items():
            connection.execute(f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $${body}$$".encode())
            connection.execute(
                f"CREATE TRIGGER {name} BEFORE UPDATE ON child FOR EACH ROW EXECUTE FUNCTION {name}()".encode()
            )
        result = check_database(database, contract, only=("contract",))
        (key,) = [v for v in result.verified if v.kind == "foreign key"]
        try:
            connection.execute("DELETE FROM parent WHERE a = 1")
        except psycopg.errors.ForeignKeyViolation:
            return key.verdict, False
        left = connection.execute("SELECT count(*) FROM child WHERE a IS NOT NULL AND b IS NOT NULL").fetchone()
        return key.verdict, left == (0,)


PUT_BACK_A = "BEGIN NEW.a := OLD.a; RETURN NEW; END"
PUT_BACK_B = "BEGIN NEW.b := OLD.b; RETURN NEW; END"


def test_one_column_of_a_key_that_is_put_back_leaves_the_other_null(database: Database) -> None:
    assert _verdict_of_two_columns(database, "", {"t": PUT_BACK_B, "u": PUT_BACK_B}) == ("yes", True)


def test_two_triggers_that_put_back_a_column_each_stop_the_key(database: Database) -> None:
    assert _verdict_of_two_columns(database, "", {"t": PUT_BACK_A, "u": PUT_BACK_B}) == ("no", False)


def test_one_column_put_back_stops_a_key_that_is_match_full(database: Database) -> None:
    assert _verdict_of_two_columns(database, "FULL", {"t": PUT_BACK_B}) == ("no", False)


@pytest.mark.parametrize(
    ("only", "verdict"),
    [("ONLY child", "yes"), ("ONLY child_1", "no"), ("child", "no"), ("child_1", "no")],
)
def test_a_partition_s_row_is_changed_by_its_own_name_or_without_only(
    database: Database, only: str, verdict: str
) -> None:
    contract = parse_contract(
        '[[foreign_key]]\nname = "child_fk"\nfrom = "child(parent_id)"\nto = "parent(id)"\non_delete = "CASCADE"\n'
    )
    with database.connect() as connection:
        connection.execute(
            f"""
            CREATE TABLE parent (id int PRIMARY KEY); INSERT INTO parent VALUES (1);
            CREATE TABLE child (id int, parent_id int CONSTRAINT child_fk REFERENCES parent ON DELETE CASCADE, n int)
                PARTITION BY RANGE (id);
            CREATE TABLE child_1 PARTITION OF child DEFAULT; INSERT INTO child VALUES (1, 1);
            CREATE FUNCTION body() RETURNS trigger LANGUAGE plpgsql AS
                'BEGIN UPDATE {only} SET n = 1 WHERE id = OLD.id; RETURN OLD; END';
            CREATE TRIGGER t BEFORE DELETE ON child FOR EACH ROW EXECUTE FUNCTION body()""".encode()
        )
        (key,) = [v for v in check_database(database, contract, only=("contract",)).verified if v.kind == "foreign key"]
        assert key.verdict == verdict
        try:
            connection.execute("DELETE FROM parent")
        except psycopg.errors.TriggeredDataChangeViolation:
            assert verdict == "no"
        else:
            assert verdict == "yes"

"""Django by what sqlmigrate printed, in the order of its plan."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.imports.laid import imported, ours, text_of
from wflo_schema.adopt.found import Verdict
from wflo_schema.adopt.judge import adopt_database
from wflo_schema.connect.database import Database
from wflo_schema.errors import BadMigrationFile

PYTHON = "--\n-- Raw Python operation\n--\n-- THIS OPERATION CANNOT BE WRITTEN AS SQL\n"
PLAN = (
    "[X]  shop.0001_initial\n[X]  auth.0001_initial\n[ ]  shop.0002_more\n[ ]  auth.0002_empty\n[ ]  auth.0003_none\n"
)
SQL = {
    "shop.0001_initial.sql": 'BEGIN;\n--\n-- Create model A\n--\nCREATE TABLE "shop_a" ("id" int PRIMARY KEY);\n'
    'CREATE INDEX "i" ON "shop_a" ("id");\nCOMMIT;\n',
    "shop.0001_initial.down.sql": 'BEGIN;\n--\n-- Create model A\n--\nDROP TABLE "shop_a" CASCADE;\nCOMMIT;\n',
    "auth.0001_initial.sql": 'BEGIN;\nCREATE TABLE "auth_b" ("id" int REFERENCES shop_a DEFERRABLE);\nCOMMIT;\n',
    "auth.0001_initial.down.sql": 'BEGIN;\nDROP TABLE "auth_b" CASCADE;\nCOMMIT;\n',
    "shop.0002_more.sql": 'CREATE INDEX CONCURRENTLY "j" ON "shop_a" ("id");\nCREATE VIEW v AS SELECT 1 AS one;\n',
    "shop.0002_more.down.sql": 'DROP VIEW v;\nDROP INDEX CONCURRENTLY IF EXISTS "j";\n',
    "auth.0002_empty.sql": "BEGIN;\n--\n-- Alter field x\n--\n-- (no-op)\nCOMMIT;\n",
    "auth.0002_empty.down.sql": "BEGIN;\n--\n-- Alter field x\n--\n-- (no-op)\nCOMMIT;\n",
    "auth.0003_none.sql": "",
    "auth.0003_none.down.sql": "",
}


@pytest.mark.parametrize("layout", ["dots", "folders"])
@pytest.mark.spread_over_servers
def test_what_sqlmigrate_printed_is_proven_in_the_order_of_the_plan_and_adopted(
    tmp_path: Path, database: Database, layout: str
) -> None:
    alone = "SET CONSTRAINTS ALL IMMEDIATE;\nCREATE TABLE late (id int);\n"  # atomic = False, and nothing asks for it
    more = {"shop.0004_late.sql": alone, "shop.0004_late.down.sql": "DROP TABLE late;\nSELECT 1;\n"}
    files = (
        {**SQL, **more}
        if layout == "dots"
        else {name.replace(".", "/", 1): text for name, text in {**SQL, **more}.items()}
    )
    plan = f"{PLAN}[ ]  shop.0004_late\n"
    found = imported(tmp_path, {**files, "plan.txt": plan, "run.sh": "#"}, database)
    assert found.tool == "django" and found.exit_code == 0, found
    assert [m.id for m in ours(tmp_path)] == [
        "0001_shop_0001_initial",
        "0002_auth_0001_initial",
        "0003_shop_0002_more",
        "0004_auth_0002_empty",
        "0005_auth_0003_none",
        "0006_shop_0004_late",
    ]
    assert "here they are one transaction" in found.files[5].notes[0] and found.files[5].is_transactional
    assert found.proof is not None and (found.proof.replayed, found.proof.rolled_back) == (6, 6)
    assert text_of(tmp_path, "0003_shop_0002_more.sql").startswith("-- transactional: false\n")
    with database.connect() as connection:
        connection.execute("CREATE TABLE django_migrations (id int, app text, name text, applied timestamptz)")
        connection.execute("INSERT INTO django_migrations VALUES (1, 'shop', '0001_initial', now())")
        connection.execute("CREATE TABLE shop_a (id int PRIMARY KEY)")
        connection.execute("CREATE INDEX i ON shop_a (id)")
    taken = adopt_database(database, ours(tmp_path), apply=True)
    assert (taken.verdict, taken.id) == (Verdict.EQUAL, "0001_shop_0001_initial")
    assert taken.ledgers[0].stands_for == "0001_shop_0001_initial"


def test_a_step_in_python_waits_for_a_person_or_does_nothing_where_that_is_known_or_said(
    tmp_path: Path, database: Database
) -> None:
    files = {
        "contenttypes.0002_remove_content_type_name.sql": f"BEGIN;\n{PYTHON}CREATE TABLE c (id int);\nCOMMIT;\n",
        "shop.0001_rows.sql": f"BEGIN;\n{PYTHON}COMMIT;\n",
        "shop.0001_rows.down.sql": f"BEGIN;\nSELECT 1;\n{PYTHON}COMMIT;\n",
        "shop.0002_old.sql": "BEGIN;\nCREATE TABLE s ();\n"
        "-- MIGRATION NOW PERFORMS OPERATION THAT CANNOT BE WRITTEN AS SQL:\n-- Raw Python operation\nCOMMIT;\n",
        "shop.0002_old.down.sql": "",
        "plan.txt": "[ ]  contenttypes.0002_remove_content_type_name\n"
        "[ ]  shop.0001_rows ... (a.b, c.d)\n[ ]  shop.0002_old\n",
    }
    found = imported(tmp_path / "one", files, database)
    assert [f.is_open for f in found.files] == [False, True, True]
    assert "does nothing in an empty database" in found.files[0].notes[0]
    assert "shop.0001_rows.sql:5: runs Python here" in found.files[1].notes[0]
    assert "shop.0001_rows.down.sql:6: runs Python here" in found.files[1].notes[1]
    assert not found.files[2].has_rollback and "is empty" in found.files[2].notes[0]
    assert found.proof is not None and found.proof.replayed == 1
    said = imported(tmp_path / "two", files, database, python="nothing")
    assert said.proof is not None and said.proof.is_whole and not said.open_files


BAD = {
    "a plan that names what is not there": (
        {**SQL, "plan.txt": PLAN + "[ ]  a.b\n"},
        "names 1 migration without a file",
    ),
    "a file that the plan does not name": ({**SQL, "a.0001_b.sql": "", "plan.txt": PLAN}, "plan.txt does not name"),
    "no plan": (SQL, "in which order"),
    "a plan that is cut off": ({**SQL, "plan.txt": PLAN + "Traceback"}, "plan.txt:6 is no line of a plan"),
    "a project": ({"manage.py": "", "shop/migrations/0001_x.py": "from django.db import migrations\n"}, "as Python"),
    "an app's folder": ({"0001_x.py": "class Migration(migrations.Migration):\n"}, "as Python, .*: 0001_x.py"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_error_with_the_commands_to_type(tmp_path: Path, case: str) -> None:
    files, what = BAD[case]
    with pytest.raises(BadMigrationFile, match=what) as refused:
        imported(tmp_path, files)
    assert "python manage.py showmigrations --plan >" in (refused.value.hint or "")


def test_the_plan_may_lie_elsewhere(tmp_path: Path) -> None:
    plan = tmp_path / "plan"
    plan.write_text(PLAN, encoding="utf-8")
    assert len(imported(tmp_path, SQL, order=str(plan)).files) == 5
    with pytest.raises(BadMigrationFile, match="--order name is not"):
        imported(tmp_path / "two", SQL, order="name")

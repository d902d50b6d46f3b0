"""A password from a command: asked for each connection, never shown, and what is said where it gives none."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.test_commands import SECRET, run, write
from tests.conftest import set_password
from wflo_schema.connect.database import Database
from wflo_schema.connect.passwords import ask_password
from wflo_schema.errors import ConnectionFailed, UsageError

pytestmark = pytest.mark.one_server


def change(guarded: Database, command: str, password: str) -> None:
    set_password(guarded, password)
    Path(command.split()[-1]).write_text(f"{password}\n")


def test_a_password_that_changes_is_asked_anew(guarded: Database, tmp_path: Path) -> None:
    (tmp_path / "migrations").mkdir()
    write(tmp_path, **{"1_a": "CREATE TABLE a ();"})
    command = f"echo asked >> {tmp_path}/log; cat {tmp_path}/password"
    (tmp_path / "wflo-schema.toml").write_text(f'database-url = "{guarded.url}"\npassword-command = "{command}"\n')
    change(guarded, command, "first")
    assert run("migrate", cwd=tmp_path).code == 0
    change(guarded, command, SECRET)
    (tmp_path / "log").unlink()
    ran = run("check", "--only", "drift", cwd=tmp_path)
    assert ran.code == 0, ran.err
    assert (tmp_path / "log").read_text().count("asked") > 1
    assert SECRET not in ran.out + ran.err + run("config", cwd=tmp_path).out
    (tmp_path / "password").write_text("wrong\n")
    ran = run("status", cwd=tmp_path)
    assert (ran.code, "refused the password or login of guarded" in ran.err) == (3, True)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("echo secret; exit 7", "ended with exit code 7"),
        ("echo secret; echo no token >&2; exit 7", "ended with exit code 7: no token"),
        ("kill -9 $$", "was ended by signal 9"),
        ("true", "printed nothing"),
        ("echo", "printed nothing"),
        ("echo secret; echo secret", "printed more than one line"),
        (r"printf 'secret\303'", "printed what is not UTF-8 text"),
        (r"printf 'secret\000'", "printed what is not UTF-8 text"),
    ],
)
def test_a_command_that_gives_none_is_said_to(command: str, said: str) -> None:
    with pytest.raises(ConnectionFailed) as caught:
        ask_password(command)
    assert caught.value.message.endswith(said)
    assert "secret" not in caught.value.message + caught.value.hint


def test_blanks_and_odd_signs_of_a_password_are_its_own() -> None:
    assert ask_password("printf ' a b \\r\\n'") == " a b "
    assert ask_password(r"printf 'a\013\014\302\205\342\200\250b\n'") == "a\v\f\x85\u2028b"


def test_two_passwords_are_one_too_many() -> None:
    with pytest.raises(UsageError, match="holds a password, and a command"):
        Database.parse("postgresql://u:secret@h/d").with_password_command("echo x")

"""How long a rehearsal takes beside the migrations themselves: `trace` and `lint` over `migrate` on an empty database.

    python -m bench.trace                         300 and 3,000 files, PostgreSQL 15, durable
    python -m bench.trace --count 300 --fsync off --server 18

Whole commands, the scratch database that they make and drop included.  A file has three to five statements: tables,
keys, columns, constraints, functions with triggers, and views; every twelfth builds its index concurrently.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable
from pathlib import Path

from bench.peers import File, Tool, compare_counts, fresh_database, measure
from tests.conftest import RunningServer

# Time of `lint`, its trace included, over that of `migrate`, at most.
TARGET = 1.5

_COMMANDS = ("trace", "lint")


def _table(n: int) -> str:
    return f"""CREATE TABLE account_{n} (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    email text NOT NULL,
    plan text NOT NULL DEFAULT 'free',
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX account_{n}_email ON account_{n} (lower(email));
COMMENT ON TABLE account_{n} IS 'Who may log in';
INSERT INTO account_{n} (name, email) VALUES ('first', 'first@example.com'), ('second', 'second@example.com');
"""


def _key(n: int) -> str:
    return f"""CREATE TABLE invoice_{n} (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id bigint NOT NULL CONSTRAINT invoice_{n}_account REFERENCES account_{n - 1} (id) ON DELETE CASCADE,
    cents int NOT NULL CHECK (cents >= 0),
    sent_at timestamptz
);
CREATE INDEX invoice_{n}_account_id ON invoice_{n} (account_id);
ALTER TABLE invoice_{n} ADD CONSTRAINT invoice_{n}_once UNIQUE (account_id, sent_at);
"""


def _columns(n: int) -> str:
    return f"""ALTER TABLE account_{n - 2} ADD COLUMN country text;
ALTER TABLE account_{n - 2} ADD COLUMN seats int NOT NULL DEFAULT 1;
ALTER TABLE account_{n - 2} ADD CONSTRAINT account_{n - 2}_seats CHECK (seats > 0) NOT VALID;
UPDATE account_{n - 2} SET country = 'FR' WHERE country IS NULL;
CREATE INDEX account_{n - 2}_plan ON account_{n - 2} (plan, country);
"""


def _constraints(n: int) -> str:
    return f"""ALTER TABLE account_{n - 3} VALIDATE CONSTRAINT account_{n - 3}_seats;
ALTER TABLE account_{n - 3} ALTER COLUMN country SET NOT NULL;
ALTER TABLE invoice_{n - 2} ALTER COLUMN cents TYPE bigint;
"""


def _function(n: int) -> str:
    return f"""CREATE FUNCTION touch_{n}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.name := trim(NEW.name);
    RETURN NEW;
END
$$;
CREATE TRIGGER touch BEFORE INSERT OR UPDATE ON account_{n - 4} FOR EACH ROW EXECUTE FUNCTION touch_{n}();
CREATE FUNCTION invoices_{n}(bigint) RETURNS bigint LANGUAGE sql STABLE AS
    'SELECT sum(cents)::bigint FROM invoice_{n - 3} WHERE account_id = $1';
"""


def _view(n: int) -> str:
    return f"""CREATE VIEW owing_{n} AS
    SELECT a.id, a.name, sum(i.cents) AS cents
    FROM account_{n - 5} AS a JOIN invoice_{n - 4} AS i ON i.account_id = a.id
    WHERE i.sent_at IS NULL GROUP BY a.id;
COMMENT ON VIEW owing_{n} IS 'What is to be paid';
ALTER TABLE account_{n - 5} DROP COLUMN plan;
DROP INDEX IF EXISTS account_{n - 5}_plan;
"""


_KINDS: tuple[Callable[[int], str], ...] = (_table, _key, _columns, _constraints, _function, _view)


def file(number: int) -> File:
    """The file of that number: six in a row are one story of two tables."""
    kind = _KINDS[number % len(_KINDS)]
    if number % 12 == 11:
        one = f"CREATE INDEX CONCURRENTLY invoice_{number - 4}_sent_at ON invoice_{number - 4} (sent_at);\n"
        return File(f"{20250101000000 + number}_index-{number}", one, is_transactional=False)
    return File(f"{20250101000000 + number}_{kind.__name__.strip('_')}-{number}", kind(number))


def compare(server: RunningServer, tool: Tool, folder: Path, count: int, rounds: int) -> bool:
    """Print a row; say whether the target is met."""
    tool.write(folder / "m", [file(n) for n in range(count)])
    took: dict[str, list[float]] = {}
    for number in range(rounds):
        names = ("migrate", *_COMMANDS)
        for name in (*names[number % 3 :], *names[: number % 3]):
            with fresh_database(server, "bench") as database:
                command = tool.command(folder / "m", database.url)
                command[command.index("migrate")] = name
                took.setdefault(name, []).append(measure(command, folder, may_find=name == "lint").seconds)
    ratios = {n: [a / b for a, b in zip(took[n], took["migrate"], strict=True)] for n in _COMMANDS}
    middle = {n: statistics.median(r) for n, r in ratios.items()}
    seconds = " | ".join(f"{statistics.median(took[n]):.2f} s" for n in ("migrate", *_COMMANDS))
    each = statistics.median(took["lint"]) / count * 1000
    is_met = middle["lint"] <= TARGET
    print(
        f"| {count:,} | {seconds} | {middle['trace']:.2f} | {middle['lint']:.2f} "
        f"({min(ratios['lint']):.2f}–{max(ratios['lint']):.2f}) | {each:.1f} ms "
        f"| ≤ {TARGET}: {'met' if is_met else 'MISSED'} |",
        flush=True,
    )
    return is_met


def main() -> int:
    """Read the options, run, and return 1 where the target is missed."""
    columns = ("files", "migrate", "trace", "lint", "trace / migrate", "lint / migrate", "lint, a file", "target")
    return compare_counts(__doc__, compare, what="files", counts=(300, 3000), columns=columns)


if __name__ == "__main__":
    sys.exit(main())

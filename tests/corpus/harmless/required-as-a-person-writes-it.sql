-- verdict: yes
-- contract: [contract]
-- contract: tables = ["p"]
-- contract: [columns.p]
-- contract: a = "int4 not null default 1 + 1"
-- contract: b = "text default 'x'"
-- contract: c = "varchar(9) default 'not null'"
-- contract: d = "timestamptz(3) default now()"
-- contract: e = "public.mood default 'fine'"
-- contract: f = "time(2)"
-- contract: g = "timestamp (3)"
-- contract: h = "timetz(1)[]"
-- contract: i = "decimal(5,2)"
-- contract: j = 'public."my default x" null'
-- contract: [[check]]
-- contract: name = "k"
-- contract: on = "p"
-- contract: expression = "a>0"
-- contract: [[check]]
-- contract: name = "l"
-- contract: on = "p"
-- contract: expression = "c IN ('a', 'b') and (p.e <> 'bad' or a between 1 and 5) -- as it was typed"
-- contract: [[index]]
-- contract: on = "p(b)"
-- contract: where = "b is not null and c = 'a'"
CREATE TYPE mood AS ENUM ('fine', 'bad');
CREATE TYPE "my default x" AS (z int);
CREATE TABLE p (
    a int NOT NULL DEFAULT 1 + 1, b text DEFAULT 'x', c varchar(9) DEFAULT 'not null', d timestamptz(3) DEFAULT now(),
    e mood DEFAULT 'fine', f time(2), g timestamp(3), h timetz(1)[], i numeric(5, 2), j "my default x",
    CONSTRAINT k CHECK (a > 0), CONSTRAINT l CHECK (c IN ('a', 'b') AND (e <> 'bad' OR a BETWEEN 1 AND 5))
);
CREATE INDEX ON p (b) WHERE b IS NOT NULL AND c = 'a';

-- verdict: no
-- codes: column-wrong
-- contract: [contract]
-- contract: tables = ["p"]
-- contract: [columns.p]
-- contract: a = "timestamptz(2)"
CREATE TABLE p (a timestamptz(3));

-- verdict: no
-- codes: required-index-missing
-- contract: [contract]
-- contract: tables = ["p"]
-- contract: [[index]]
-- contract: name = "i"
-- contract: on = "p(a)"
-- contract: where = "a > 0"
CREATE TABLE p (a int);
CREATE INDEX i ON p (a);

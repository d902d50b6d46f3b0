-- verdict: no
-- codes: orphan-rows
-- only: rows
-- contract: [[foreign_key]]
-- contract: from = "pair(a, b)"
-- contract: to = "pairs(x, y)"
-- contract: match = "FULL"
CREATE TABLE pairs (x integer, y integer, UNIQUE (x, y));
CREATE TABLE pair (a integer, b integer);
INSERT INTO pair VALUES (NULL, 9), (NULL, NULL);

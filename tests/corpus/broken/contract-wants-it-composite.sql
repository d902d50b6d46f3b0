-- verdict: no
-- codes: key-wrong-columns
-- contract: [[foreign_key]]
-- contract: name = "fk_pair"
-- contract: from = "pair(a, b)"
-- contract: to = "pairs(x, y)"
CREATE TABLE pairs (x integer, y integer, UNIQUE (x, y));
CREATE TABLE pair (a integer, b integer, CONSTRAINT fk_pair FOREIGN KEY (a, b) REFERENCES pairs (y, x) ON DELETE NO ACTION);

-- verdict: yes
-- contract: [[foreign_key]]
-- contract: from = "pair(a, b)"
-- contract: to = "pairs(x, y)"
CREATE TABLE pairs (x integer, y integer, UNIQUE (x, y));
CREATE TABLE pair (a integer, b integer, FOREIGN KEY (b, a) REFERENCES pairs (y, x));
CREATE INDEX ON pair (b, a);

-- verdict: yes
-- only: contract rows
-- contract: [[foreign_key]]
-- contract: from = "pair(a, b)"
-- contract: to = "pairs(x, y)"
CREATE TABLE pairs (x integer, y bigint, UNIQUE (x, y));
CREATE TABLE pair (a bigint, b integer, FOREIGN KEY (a, b) REFERENCES pairs (x, y));
INSERT INTO pairs VALUES (1, 2), (3, 4);
INSERT INTO pair VALUES (1, 2), (NULL, 9), (9, NULL), (NULL, NULL);

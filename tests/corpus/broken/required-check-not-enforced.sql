-- verdict: no
-- from: 18
-- codes: check-not-valid
-- contract: [contract]
-- contract: tables = ["p"]
-- contract: [[check]]
-- contract: name = "k"
-- contract: on = "p"
CREATE TABLE p (a int, CONSTRAINT k CHECK (a > 0) NOT ENFORCED);

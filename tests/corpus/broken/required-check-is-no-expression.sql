-- verdict: no
-- codes: check-missing
-- contract: [contract]
-- contract: tables = ["p"]
-- contract: [[check]]
-- contract: name = "k"
-- contract: on = "p"
-- contract: expression = "a > 0), (a > 0"
CREATE TABLE p (a int CONSTRAINT k CHECK (a > 0));

-- verdict: no
-- codes: column-wrong
-- contract: [contract]
-- contract: tables = ["p"]
-- contract: [columns.p]
-- contract: a = "varchar(3) default 'abcd'"
CREATE TABLE p (a varchar(3) DEFAULT 'abc');

-- verdict: yes
-- contract: [[foreign_key]]
-- contract: name = '"The ""Key"""'
-- contract: from = '"Odd, (table)"("Some ""column""")'
-- contract: to = "select(Id)"
CREATE TABLE "select" ("Id" integer PRIMARY KEY);
CREATE TABLE "Odd, (table)" ("Some ""column""" integer CONSTRAINT "The ""Key""" REFERENCES "select" ("Id"));
CREATE INDEX ON "Odd, (table)" ("Some ""column""");

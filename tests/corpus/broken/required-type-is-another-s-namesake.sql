-- verdict: no
-- codes: column-wrong
-- contract: [contract]
-- contract: tables = ["p"]
-- contract: [columns.p]
-- contract: a = "public.text"
CREATE DOMAIN public.text AS pg_catalog.text;
CREATE TABLE p (a pg_catalog.text);

-- verdict: no
-- codes: key-trigger-missing
-- A superuser may replace even the function that checks keys.
CREATE OR REPLACE FUNCTION pg_catalog."RI_FKey_check_ins"() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';

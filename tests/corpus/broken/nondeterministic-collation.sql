-- verdict: no
-- codes: key-collation
-- until: 17
-- 18 refuses such a key.
CREATE COLLATION any_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
ALTER TABLE step_executions ALTER COLUMN execution_id TYPE varchar(36) COLLATE any_case;

-- verdict: no
-- codes: table-missing, key-missing
DROP TABLE rollback_actions;

-- verdict: no
-- codes: key-trigger-disabled, orphan-rows
-- only: contract rows
-- A restore of data alone with --disable-triggers that stopped half way.
ALTER TABLE rollback_actions DISABLE TRIGGER ALL;
INSERT INTO rollback_actions (id, execution_id, snapshot_id, reason, initiated_by) VALUES ('r', 'nowhere', 's', 'x', 'y');

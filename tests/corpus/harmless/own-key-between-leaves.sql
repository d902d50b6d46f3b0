-- verdict: yes
ALTER TABLE rollback_actions ADD CONSTRAINT fk_snapshot FOREIGN KEY (snapshot_id) REFERENCES state_snapshots (id);

-- index of a partition replaced

CREATE TABLE m (id int, k int) PARTITION BY LIST (k); CREATE TABLE m_1 PARTITION OF m FOR VALUES IN (1); CREATE INDEX m_id ON m (id);

-- after

CREATE TABLE m (id int, k int) PARTITION BY LIST (k); CREATE TABLE m_1 PARTITION OF m FOR VALUES IN (1); CREATE INDEX m_id ON m (id, k); CREATE TRIGGER x AFTER INSERT ON m FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();

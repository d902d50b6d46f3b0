-- partition detached

CREATE TABLE m (id int, at date) PARTITION BY RANGE (at);
CREATE INDEX m_at ON m (at);
CREATE TABLE m_2024 PARTITION OF m FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');

-- after

CREATE TABLE m (id int, at date) PARTITION BY RANGE (at);
CREATE INDEX m_at ON m (at);
CREATE TABLE m_2024 (id int, at date);
CREATE INDEX m_2024_at_idx ON m_2024 (at);

-- verdict: no
-- codes: table-wrong-kind
DROP TABLE approval_requests;
CREATE MATERIALIZED VIEW approval_requests AS SELECT 'x'::varchar AS id, 'y'::varchar AS execution_id;

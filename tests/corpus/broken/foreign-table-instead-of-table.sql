-- verdict: no
-- codes: table-wrong-kind
DROP TABLE approval_requests;
CREATE FOREIGN DATA WRAPPER nowhere;
CREATE SERVER away FOREIGN DATA WRAPPER nowhere;
CREATE FOREIGN TABLE approval_requests (id varchar(36), execution_id varchar(36)) SERVER away;

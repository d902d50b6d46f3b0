-- verdict: no
-- codes: table-wrong-kind
DROP TABLE approval_requests;
CREATE SEQUENCE approval_requests;

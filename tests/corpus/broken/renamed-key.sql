-- verdict: no
-- codes: key-wrong-name
ALTER TABLE approval_requests RENAME CONSTRAINT fk_approval_requests_execution_id TO approval_requests_execution_id_fkey;

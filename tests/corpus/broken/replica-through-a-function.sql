-- verdict: no
-- codes: replication-role
CREATE ROLE corpus_writer LOGIN;
ALTER ROLE corpus_writer SET session_replication_role = replica;
CREATE FUNCTION put(x text) RETURNS void LANGUAGE sql AS $$
    INSERT INTO public.step_executions (id, execution_id, step_id, status) VALUES (x, x, 'x', 'x')
$$;
CREATE FUNCTION put_for_all(x text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN PERFORM put(x); END';

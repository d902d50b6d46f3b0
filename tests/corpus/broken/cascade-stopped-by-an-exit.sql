-- verdict: no
-- codes: key-stopped-by-trigger
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE kept record; BEGIN
    <<inner>> BEGIN
        IF OLD.status = 'x' THEN EXIT inner; END IF;
        kept := OLD;
    END;
    RETURN kept;
END
$$;
CREATE TRIGGER note BEFORE DELETE ON step_executions FOR EACH ROW EXECUTE FUNCTION note();

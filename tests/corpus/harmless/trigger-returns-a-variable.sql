-- verdict: yes
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    kept record; n int := 0; also public.step_executions DEFAULT OLD; before_it ALIAS FOR OLD;
BEGIN
    IF TG_OP = 'DELETE' THEN kept := OLD; ELSE kept := NEW; END IF;
    FOR n IN 1 .. 3 LOOP
        PERFORM n;
        IF n = 2 THEN RETURN CASE TG_OP WHEN 'DELETE' THEN also ELSE NULL END; END IF;
    END LOOP;
    BEGIN kept := before_it; EXCEPTION WHEN division_by_zero THEN RETURN (CASE WHEN NEW IS NULL THEN OLD END); END;
    SELECT count(*) INTO n FROM public.step_executions;
    RETURN kept;
END
$$;
CREATE TRIGGER note BEFORE DELETE ON step_executions FOR EACH ROW EXECUTE FUNCTION note();

-- verdict: yes
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $function$
<<outer>>
DECLARE
    "a -- /* name" text := 'C:\';
BEGIN
    "a -- /* name" := $q$ '; RETURN NULL; -- $q$ || E'\'; RETURN NULL; --' || U&'\0027; RETURN NULL;' || $$/*$$;
    "a -- /* name" := '-- '; /* /* RETURN NULL; */ RETURN NULL; */ -- RETURN NULL;
    IF TG_OP = $op$INSERT$op$ THEN RETURN NULL; END IF;
    RETURN OLD;
END
$function$;
CREATE TRIGGER note BEFORE DELETE ON step_executions FOR EACH ROW EXECUTE FUNCTION note();

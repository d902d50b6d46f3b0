-- No row: a trigger that keeps two columns of one meaning in step, whichever of them an application writes.
CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql {settings} AS {tag}
BEGIN
    -- One version of the application writes {old}, the other {new}.
    IF TG_OP = 'INSERT' THEN
        IF NEW.{new} IS NULL THEN
            NEW.{new} := NEW.{old};
        ELSE
            NEW.{old} := NEW.{new};
        END IF;
    ELSIF NEW.{new}{text} IS DISTINCT FROM OLD.{new}{text} THEN
        NEW.{old} := NEW.{new};
    ELSE
        NEW.{new} := NEW.{old};
    END IF;
    RETURN NEW;
END
{tag};

-- No row: a trigger that writes what a column will hold once it has another type into the column that is to replace it.
CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql {settings} AS {tag}
BEGIN
    SELECT {expression} INTO NEW.{new} FROM (SELECT NEW.*) AS {table};
    RETURN NEW;
END
{tag};

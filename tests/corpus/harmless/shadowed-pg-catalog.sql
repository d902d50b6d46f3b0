-- verdict: yes
CREATE TABLE public.pg_constraint (conname name);
CREATE TABLE public.pg_trigger (tgname name);
CREATE FUNCTION public.format_type(oid, integer) RETURNS text LANGUAGE sql AS 'SELECT ''fooled''::text';
CREATE FUNCTION public.fooled(oid, oid) RETURNS boolean LANGUAGE sql AS 'SELECT false';
CREATE OPERATOR public.= (LEFTARG = oid, RIGHTARG = oid, FUNCTION = public.fooled);
DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = public, pg_catalog', current_database()); END $$;

-- no row: fails unless role, search_path and ledger are as they were when a script was written
DO {tag}
DECLARE
    recorded text := '';
    repeated text := '';
BEGIN
    IF CURRENT_USER OPERATOR(pg_catalog.<>) {role}::pg_catalog.name THEN
        RAISE EXCEPTION 'this script is for the role %, and this session works as %', {role}, CURRENT_USER
            USING HINT = pg_catalog.format('log in as %s, or: PGOPTIONS=''-c role=%s'' psql', {role}, {role});
    END IF;
    IF pg_catalog.current_setting('search_path') OPERATOR(pg_catalog.<>) {path} THEN
        RAISE EXCEPTION 'this script is for the search_path %, and this session has %',
            {path}, pg_catalog.current_setting('search_path')
            USING HINT = 'is it the right database? else print the script again';
    END IF;
    IF pg_catalog.to_regclass({table}) IS NOT NULL THEN
        SELECT pg_catalog.md5(
            COALESCE(
                pg_catalog.string_agg(
                    pg_catalog.concat(m.migration_hash, ' ', pg_catalog.to_jsonb(m) OPERATOR(pg_catalog.->>) 'checksum'),
                    ',' ORDER BY m.migration_hash COLLATE "C"
                ),
                ''
            )
        )
        INTO recorded
        FROM {ledger} AS m;
    END IF;
    IF pg_catalog.to_regclass({repeatables}) IS NOT NULL THEN
        SELECT pg_catalog.md5(
            COALESCE(
                pg_catalog.string_agg(
                    pg_catalog.concat_ws(
                        ' ',
                        r.repeatable_id,
                        r.number,
                        r.checksum,
                        r.is_down,
                        pg_catalog.md5(pg_catalog.convert_to(r.content, 'UTF8'))
                    ),
                    ',' ORDER BY r.repeatable_id COLLATE "C", r.number
                ),
                ''
            )
        )
        INTO repeated
        FROM {texts} AS r;
    END IF;
    IF (recorded, repeated) OPERATOR(pg_catalog.<>) ({recorded}, {repeated}) THEN
        RAISE EXCEPTION 'the ledger is not as it was when this script was printed: nothing was run'
            USING HINT = 'print it again: wflo-schema plan --sql';
    END IF;
END
{tag}

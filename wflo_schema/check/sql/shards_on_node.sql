-- One row: what a node has of the shards of these names, as one text of JSON.  "shard" is the number of a name.
WITH shard AS MATERIALIZED (
    SELECT s.number AS number, pg_catalog.to_regclass(s.name)::oid AS oid
    FROM pg_catalog.unnest(%(names)s::text[]) WITH ORDINALITY AS s(name, number)
)
SELECT pg_catalog.json_build_object(
    'is_replica',
    pg_catalog.current_setting('session_replication_role') = 'replica' OR EXISTS (
        SELECT 1
        FROM pg_catalog.pg_db_role_setting AS r
        JOIN pg_catalog.pg_database AS d ON d.datname = pg_catalog.current_database()
        WHERE r.setrole = 0 AND r.setdatabase IN (0, d.oid) AND 'session_replication_role=replica' = ANY (r.setconfig)
    ),
    'shards',
    ARRAY(SELECT shard.number FROM shard WHERE shard.oid IS NOT NULL),
    'columns',
    ARRAY(
        SELECT pg_catalog.json_build_array(
            shard.number, a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), a.attnotnull
        )
        FROM shard
        JOIN pg_catalog.pg_attribute AS a ON a.attrelid = shard.oid AND a.attnum > 0 AND NOT a.attisdropped
    ),
    'checks',
    ARRAY(
        SELECT shard.number
        FROM shard
        JOIN pg_catalog.pg_constraint AS c ON c.conrelid = shard.oid AND c.contype = 'c' AND c.convalidated
    ),
    'indexes',
    ARRAY(
        SELECT pg_catalog.format('%%I.%%I', n.nspname, i.relname)
        FROM shard
        JOIN pg_catalog.pg_index AS x
            ON x.indrelid = shard.oid AND x.indisvalid AND x.indisready AND x.indislive
        JOIN pg_catalog.pg_class AS i ON i.oid = x.indexrelid
        JOIN pg_catalog.pg_namespace AS n ON n.oid = i.relnamespace
    ),
    'keys',
    ARRAY(
        SELECT pg_catalog.json_build_array(
            shard.number,
            target.number,
            ARRAY(
                SELECT pg_catalog.json_build_array(a.attname, b.attname)
                FROM ROWS FROM (pg_catalog.unnest(c.conkey), pg_catalog.unnest(c.confkey)) AS k(ours, theirs)
                JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.conrelid AND a.attnum = k.ours
                JOIN pg_catalog.pg_attribute AS b ON b.attrelid = c.confrelid AND b.attnum = k.theirs
            ),
            c.confdeltype,
            c.confupdtype,
            c.convalidated,
            (SELECT count(*) FROM pg_catalog.pg_trigger AS t WHERE t.tgconstraint = c.oid AND t.tgenabled IN ('O', 'A'))
        )
        FROM shard
        JOIN pg_catalog.pg_constraint AS c ON c.conrelid = shard.oid AND c.contype = 'f'
        JOIN shard AS target ON target.oid = c.confrelid
    )
)::text AS answer

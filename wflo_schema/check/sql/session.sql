-- One row: what this session is, whether Citus (12 or later) is there, and which catalogs its role may not read.
SELECT
    current_user::text AS role,
    pg_catalog.current_database()::text AS database,
    pg_catalog.current_setting('server_version_num')::integer AS version,
    pg_catalog.current_setting('session_replication_role') AS replication_role,
    pg_catalog.to_regclass('pg_catalog.pg_dist_schema') IS NOT NULL AS has_citus,
    ARRAY(
        SELECT c.name
        FROM pg_catalog.unnest(ARRAY[
            'pg_class', 'pg_namespace', 'pg_inherits', 'pg_attribute', 'pg_attrdef', 'pg_collation', 'pg_constraint',
            'pg_operator', 'pg_trigger', 'pg_proc', 'pg_language', 'pg_rewrite', 'pg_db_role_setting', 'pg_database',
            'pg_roles', 'pg_index', 'pg_am', 'pg_settings', 'pg_subscription_rel', 'pg_event_trigger',
            'pg_depend', 'pg_opclass', 'pg_amop', 'pg_partitioned_table', 'pg_dist_partition', 'pg_dist_schema',
            'pg_dist_shard', 'pg_dist_placement', 'pg_dist_node', 'pg_foreign_table', 'pg_foreign_server',
            'pg_foreign_data_wrapper'
        ]) AS c(name)
        WHERE NOT pg_catalog.has_table_privilege(
            current_user, pg_catalog.to_regclass('pg_catalog.' || c.name)::oid, 'SELECT'
        )
        ORDER BY c.name
    ) AS hidden

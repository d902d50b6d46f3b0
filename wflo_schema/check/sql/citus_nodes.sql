-- One row: what one of these nodes answers to its command, or why it does not.
SELECT w.node_name, w.node_port, w.success, w.result
FROM pg_catalog.master_run_on_worker(%(nodes)s::text[], %(ports)s::integer[], %(commands)s::text[], true) AS w
ORDER BY w.node_name, w.node_port

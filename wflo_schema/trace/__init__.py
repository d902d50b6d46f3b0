"""What each statement locks, scans, rewrites and builds, as PostgreSQL itself says in a rehearsal."""

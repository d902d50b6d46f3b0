"""Plans, applies, rolls back and records migrations: the only writer of a target."""

"""Runs the revisions beside it, as Alembic's own template does."""

from __future__ import annotations

from alembic import context
from sqlalchemy import create_engine

engine = create_engine(str(context.config.get_main_option("sqlalchemy.url")))
with engine.connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
engine.dispose()

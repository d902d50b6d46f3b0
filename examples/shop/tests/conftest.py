"""The two clients, each on a database of the test's own."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest_asyncio
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

sys.path.insert(0, str(Path(__file__).parent.parent))


@pytest_asyncio.fixture
async def connection(wflo_url: str) -> AsyncIterator[Any]:
    """An asyncpg connection."""
    connection = await asyncpg.connect(wflo_url)
    yield connection
    await connection.close()


@pytest_asyncio.fixture
async def session(wflo_url: str) -> AsyncIterator[AsyncSession]:
    """A session of SQLAlchemy on asyncpg."""
    engine = create_async_engine(make_url(wflo_url).set(drivername="postgresql+asyncpg"))
    async with AsyncSession(engine) as session:
        yield session
    await engine.dispose()

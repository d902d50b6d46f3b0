"""Each test has a database of its own, with every migration and the seed's rows in it."""

from __future__ import annotations

from typing import Any

import asyncpg
import psycopg
import pytest
from shop import Customer, Order, place_order, turnover_cents
from sqlalchemy import delete, insert
from sqlalchemy.ext.asyncio import AsyncSession


async def test_order_of_a_new_customer(connection: Any) -> None:
    await place_order(connection, "new@example.org", 500)
    assert await connection.fetchval("SELECT count(*) FROM customers") == 3


async def test_order_of_a_known_customer_commits_and_nobody_else_sees_it(connection: Any) -> None:
    await place_order(connection, "ada@example.org", 500)
    assert await connection.fetchval("SELECT count(*) FROM customers") == 2
    assert await connection.fetchval("SELECT count(*) FROM orders") == 3


async def test_negative_total_is_refused(connection: Any) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await place_order(connection, "ada@example.org", -1)


async def test_turnover(session: AsyncSession) -> None:
    assert await turnover_cents(session) == 3000
    await session.execute(insert(Order).values(customer_id=1, total_cents=7))
    await session.commit()
    assert await turnover_cents(session) == 3007


async def test_orders_go_with_their_customer(session: AsyncSession) -> None:
    await session.execute(delete(Customer).where(Customer.email == "ada@example.org"))
    assert await turnover_cents(session) == 2000


@pytest.mark.parametrize("email", ["ada@example.org", "grace@example.org"])
def test_email_is_unique(wflo_transaction: psycopg.Connection[Any], email: str) -> None:
    with pytest.raises(psycopg.errors.UniqueViolation):
        wflo_transaction.execute("INSERT INTO customers (email) VALUES (%s)", (email,))

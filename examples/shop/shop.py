"""A shop's database code, once for asyncpg and once for SQLAlchemy."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, ForeignKey, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


async def place_order(connection: Any, email: str, total_cents: int) -> int:
    """Place an order for a customer, who is made if not known; return the order's id (asyncpg)."""
    async with connection.transaction():
        customer_id = await connection.fetchval(
            "INSERT INTO customers (email) VALUES ($1) ON CONFLICT (email) DO UPDATE SET email = $1 RETURNING id", email
        )
        order_id = await connection.fetchval(
            "INSERT INTO orders (customer_id, total_cents) VALUES ($1, $2) RETURNING id", customer_id, total_cents
        )
    return int(order_id)


class Base(DeclarativeBase):
    """Base of the tables."""


class Customer(Base):
    """A customer."""

    __tablename__ = "customers"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    email: Mapped[str]


class Order(Base):
    """An order."""

    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"))
    total_cents: Mapped[int] = mapped_column(BigInteger)


async def turnover_cents(session: AsyncSession) -> int:
    """Sum of all orders (SQLAlchemy)."""
    return int(await session.scalar(select(func.coalesce(func.sum(Order.total_cents), 0))) or 0)

"""SQLAlchemy under the official instrumentation, on SQLite in memory."""

from __future__ import annotations

import contextlib

from opentelemetry import trace
from opentelemetry.instrumentation.sqlalchemy import SQLAlchemyInstrumentor
from sqlalchemy import ForeignKey, create_engine, select, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship
from sqlalchemy.pool import StaticPool

tracer = trace.get_tracer("sqlalchemy_app")


class Base(DeclarativeBase):
    """The tables."""


class Customer(Base):
    """Who orders."""

    __tablename__ = "customers"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    orders: Mapped[list[Order]] = relationship(back_populates="customer")


class Order(Base):
    """What is ordered."""

    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"))
    customer: Mapped[Customer] = relationship(back_populates="orders")


def run() -> None:
    """Creates, fills, reads, fails."""
    engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    SQLAlchemyInstrumentor().instrument(engine=engine)
    Base.metadata.create_all(engine)
    with tracer.start_as_current_span("fill"), Session(engine) as session:
        session.add(Customer(id=1, name="Ada", orders=[Order(id=number) for number in range(3)]))
        session.commit()
    with tracer.start_as_current_span("read"), Session(engine) as session:
        for customer in session.scalars(select(Customer)):
            trace.get_current_span().add_event("customer", {"orders": len(customer.orders)})
    with contextlib.suppress(OperationalError), tracer.start_as_current_span("fail"), engine.connect() as connection:
        connection.execute(text("SELECT * FROM nowhere"))
    engine.dispose()

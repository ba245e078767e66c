"""What Alembic runs: the steps, on the connection and in the transaction that `upgrade` hands over."""

import sqlalchemy as sa
from alembic import context

from gateway.storage.tables import metadata

connection: sa.Connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()

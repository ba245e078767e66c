"""The store, on SQLite or PostgreSQL: the truth about every message, behind the protocols of `gateway.ports`.

`store.open_store` assembles it on `engines`; `queue` gives out work, `people`, `tracking` and `reading` keep what their
names say. Rows become frozen domain values here and nothing of SQL leaves the package.
"""

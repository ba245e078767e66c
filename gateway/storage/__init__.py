"""The store, on SQLite or PostgreSQL: the truth about every message, behind the protocols of `gateway.ports`.

`store.open_store` assembles it; `engine` opens the database, `driver` is what hot code sees of it, and each other
module keeps one aggregate. Rows become frozen domain values here and nothing of SQL leaves the package.
"""

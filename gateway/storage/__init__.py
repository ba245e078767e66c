"""The store on SQLite: the truth about every message, behind the protocols of `gateway.ports`.

`store.open_store` assembles it; `engine` owns the connections, `batcher` shares commits between callers, and each
other module keeps one aggregate. Rows become frozen domain values here and nothing of SQL leaves the package.
"""

"""Real servers from wheels, private to whoever starts them: PostgreSQL and Valkey, without pytest and without root.

with start_postgres() as server:                 # or durable=True where a power cut is what the test is about
    url = server.create_database()               # from a template in milliseconds: create_database("prepared")
with start_valkey() as server: ...               # server.url(1), stop(), kill(), empty(), freeze(), start()
"""

from tests.servers.ports import free_port
from tests.servers.postgres import PostgresDatabases, PostgresServer, start_postgres
from tests.servers.valkey import ValkeyServer, start_valkey

__all__ = ["PostgresDatabases", "PostgresServer", "ValkeyServer", "free_port", "start_postgres", "start_valkey"]

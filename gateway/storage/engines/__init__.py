"""One logic over two drivers: connections, statements, batches, commits and signs of life on SQLite and PostgreSQL."""

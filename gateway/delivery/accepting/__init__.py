"""From a request to a durable message: who is meant, when it may go, in whose name, and each wish only once."""

"""How services hear what becomes of their messages."""

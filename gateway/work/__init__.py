"""How work is woken: `embedded` runs the worker inside the process that accepts.

The store is the truth of what is due; a ring only says "look", and losing one costs at most a second.
"""

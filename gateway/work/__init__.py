"""How work is woken and done: `worker` claims and dispatches, in the process that accepts or in one of its own.

The store is the truth of what is due. A ring only says "look", and losing one costs at most a second; it comes by
`doorbell` within a process, and by `arq` through Redis between processes. `content` takes up changed texts.
"""

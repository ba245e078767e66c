"""`heliograph demo`: a gateway on a fresh store, hundreds of messages through its HTTP API, and what became of each.

`people` and `plan` say who is written to and what must come of it; `house` runs the gateway as a process of its
own; `posting` is the other service; `verdict` compares, `report` tells.
"""

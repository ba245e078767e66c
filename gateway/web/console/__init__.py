"""The console: the delivery log and the mailbox, one module per page, on the layout of `pages/`.

`routes.py` lists every page; `access.py` says who may look.
"""

"""The command line: one module per command group, each a thin layer over settings, stores or the HTTP API.

Data goes to standard output (`--json` where programs read it), everything else to standard error; exit status 0
is success, 1 a refusal or a failed check, 2 a wrong use.
"""

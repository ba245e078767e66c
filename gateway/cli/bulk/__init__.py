"""Many rows in files: what a command that imports or exports is made of.

`rows` reads and writes CSV and NDJSON, `imports` sends rows to the gateway and says what became of each, `checkpoint`
remembers how far an import came, `exports` writes a list to a file.
"""

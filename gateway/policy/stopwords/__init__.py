"""What people text to leave, to come back and to be told how, in the words of their languages.

`words.toml` is the list, a source and a confidence on each line; `lexicon` reads it, `folding` makes spellings
comparable, and `reading` says what one text means. A text that may mean STOP and is not one goes to a person.
"""

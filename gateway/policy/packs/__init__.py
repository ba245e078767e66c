"""Country packs: dated rules for a country in `<CC>.toml`, a source, a date and a confidence on each line.

`reading` reads them and is strict about it; `in_force` puts them together with the operator's rules, the most
restrictive winning, and finds those for a recipient. They are defaults with their reasons, and no legal advice.
"""

"""Pure values and the lifecycle: no I/O, no clock, no framework.

Everything here is frozen; times are aware UTC datetimes, locales canonical BCP 47 tags, zones IANA names,
countries ISO 3166-1 alpha-2, phones E.164.
"""

"""The conformance kit: a pytest plug-in that tells the author of an adapter when it is right.

`suite` holds every provider to the seam, `http_suite` those that speak HTTP to what servers and networks do to them,
`webhook_suite` what calls us to forgeries, repetition and any order. `fault_server` is the far side that misbehaves.
"""

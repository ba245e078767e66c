"""One module per revision, numbered without gaps; what a released one does to a store that exists never changes.

Each says its `phase`: "pre" steps are taken before the new version starts and leave the old one working; "post" steps
are taken when no process of the old version runs any more, and write into `compatibility` the oldest revision whose
code may still work with the store. Within one release every "pre" step stands before the first "post" step.
"""

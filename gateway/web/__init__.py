"""The HTTP side: one app, one middleware, an endpoint decorator that checks and documents.

`api/` holds one module per resource, `schemas/` the shapes that they take and give. `endpoints` binds a
handler to who may call it and what it answers; `openapi` writes all of that down as one document.
"""

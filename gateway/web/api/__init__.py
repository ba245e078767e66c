"""The resources of `/v1`, one module each; each ends with the tuple of its endpoints."""

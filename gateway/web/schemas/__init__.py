"""The shapes of the API: what requests may hold, turned into domain values at once, and what answers look like."""

"""What operators do by hand, and what the gateway does for itself: sweeping, retention, readiness, keys."""

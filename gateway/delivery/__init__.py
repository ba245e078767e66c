"""The use cases: what happens to a message between the request and the provider's last word."""

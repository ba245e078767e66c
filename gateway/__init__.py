"""Heliograph: a messaging gateway."""

"""Receipts and what else is told of a message from outside its own way."""

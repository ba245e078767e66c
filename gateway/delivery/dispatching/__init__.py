"""The way of one claim: decide, render, reserve, call the provider, and record what came of it."""

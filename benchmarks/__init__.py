"""Benchmarks: each prints ratios of interleaved rounds, since absolute rates say more about the machine than about us.

Run `python3 run.py bench [name …]`, or `python -m benchmarks [name …]` in the environment.
"""

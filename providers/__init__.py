"""Adapters, one module per provider: each turns a rendered delivery into one call and classifies the answer.

They see only gateway's domain, errors and ports; retries, limits, failover and logs are the gateway's own.
Adapters from elsewhere come by the entry-point group `heliograph.providers`, never as files in this package.
"""

"""A small Functions host: runs `function_app.py` on a laptop as Azure would.

The worker's half (indexing, checks, conversion, invocation) is Microsoft's own library (`worker`); the host's half is
here: settings and `host.json`, HTTP and routes, Service Bus receivers, timers, logs.
"""

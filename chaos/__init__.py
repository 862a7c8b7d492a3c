"""Chaos on the running stack: real sales, while processes are killed and frozen and the stand-ins do what Azure does.

It knows the stack as anybody does who may only look and break: by its state folder, the ids of its processes, and the
ports on which they answer.
"""

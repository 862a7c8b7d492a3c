"""What the real services promise and the stand-ins must keep: written with the ordinary SDKs alone."""

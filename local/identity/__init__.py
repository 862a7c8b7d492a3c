"""An OpenID issuer without passwords: whoever asks is who they say they are, and does what they say they may.

Discovery and keys are those of OpenID Connect, and a page in a browser signs in by an authorisation code with PKCE, so
that the application reads its tokens as it reads those of any issuer.
"""

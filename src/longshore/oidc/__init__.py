"""OpenID Connect, as far as somebody else's tokens are believed: no store, no AWS.

Enters: tokens (JWTs), keys in PEM, issuers' URLs. Leaves: what a token claims and whether a key
signed it (`tokens`), keys and how they are shown (`keys`), the documents of an issuer
(`documents`), and the keys of one somewhere on the network (`issuers`, over `https`).
"""

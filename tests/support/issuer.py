"""An application that issues tokens for its end users, with keys and a JWKS endpoint."""

from __future__ import annotations

import http.server
import json
import threading
import time
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

MAKERS = {
    "RS256": (lambda: rsa.generate_private_key(65537, 2048), RSAAlgorithm),
    "PS256": (lambda: rsa.generate_private_key(65537, 2048), RSAAlgorithm),
    "ES256": (lambda: ec.generate_private_key(ec.SECP256R1()), ECAlgorithm),
    "ES384": (lambda: ec.generate_private_key(ec.SECP384R1()), ECAlgorithm),
    "EdDSA": (ed25519.Ed25519PrivateKey.generate, OKPAlgorithm),
}


class Issuer:
    """Signs tokens, and serves its JWKS on loopback while entered."""

    def __init__(self, audience: str = "chat") -> None:
        self.audience = audience
        self.keys: dict[str, tuple[str, Any]] = {}
        self.published: list[dict[str, Any]] = []
        self.body: bytes | None = None
        self.asked = 0
        issuer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.asked += 1
                body = issuer.body if issuer.body is not None else json.dumps({"keys": issuer.published}).encode()
                self.send_response(200)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.jwks_url = f"{self.url}/jwks.json"

    def add_key(self, algorithm: str, kid: str, *, publish: bool = True) -> dict[str, Any]:
        make, codec = MAKERS[algorithm]
        private = make()
        self.keys[kid] = (algorithm, private)
        public = json.loads(codec.to_jwk(private.public_key())) | {"kid": kid, "use": "sig"}
        if publish:
            self.published.append(public)
        return public

    def claims(self, sub: str, **changes: Any) -> dict[str, Any]:
        """A change to None omits the claim."""
        now = int(time.time())
        claims = {"iss": self.url, "aud": self.audience, "sub": sub, "iat": now, "exp": now + 300} | changes
        return {name: value for name, value in claims.items() if value is not None}

    def token(self, sub: str, kid: str, **changes: Any) -> str:
        algorithm, private = self.keys[kid]
        return jwt.encode(self.claims(sub, **changes), private, algorithm, headers={"kid": kid})

    def __enter__(self) -> Issuer:
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

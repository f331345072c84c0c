"""A second opinion for porteur's tests: Authlib's authorization server, which lets each client in by one way only.

It is not a second `tests/idp`: it has no faults, no protected API, no mutual TLS, and its tokens are random text that
nobody can check. Nor does Authlib mind a request that authenticates in two ways at once, against RFC 6749 §2.3: one of
them that fits is enough, so a test looks at what was sent. Loopback only, nothing is kept.

  python server.py      prints one JSON line with the addresses when ready; ends on SIGTERM, SIGINT or when stdin closes

  AUTHLIB_KEYS=DIR      know the clients pk-es256 and pk-rs256 by the keys DIR/pk-….jwk.json, as `tests/idp` makes them
  AUTHLIB_TLS_CERT=FILE AUTHLIB_TLS_KEY=FILE   also listen with TLS

Control: GET /__admin/stats, and GET /__admin/last for the latest token requests, oldest first
"""

import hmac
import json
import os
import signal
import ssl
import sys
import threading
from collections import deque
from pathlib import Path

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.jose import JsonWebKey
from authlib.oauth2.rfc6749 import ClientMixin, InvalidClientError, list_to_scope, scope_to_list
from authlib.oauth2.rfc6749.grants import ClientCredentialsGrant
from authlib.oauth2.rfc7523 import JWTBearerClientAssertion
from flask import Flask, g, request
from werkzeug.serving import WSGIRequestHandler, make_server

SCOPES = ["api:read", "api:write"]
# Authlib's one name for both private_key_jwt and client_secret_jwt: the key and the algorithm tell them apart.
JWT = "client_assertion_jwt"
REMEMBERED = 1000

doors = {}  # scheme -> issuer and token_url
recent = deque(maxlen=REMEMBERED)
counts = {"token_requests": 0}
used_jti = set()
lock = threading.Lock()

app = Flask(__name__)
app.config["OAUTH2_SCOPES_SUPPORTED"] = SCOPES
app.config["OAUTH2_TOKEN_EXPIRES_IN"] = {"client_credentials": 3600}
# Plain HTTP is meant, also for a request whose Host is not the loopback address.
os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"


class Client(ClientMixin):
    def __init__(self, method, secret="", key=None, alg=None):
        self.method, self.secret, self.key, self.alg = method, secret, key, alg

    def check_client_secret(self, client_secret):
        return hmac.compare_digest(self.secret.encode(), client_secret.encode())

    def check_endpoint_auth_method(self, method, endpoint):
        return method == self.method

    def check_grant_type(self, grant_type):
        return grant_type == ClientCredentialsGrant.GRANT_TYPE

    def get_allowed_scope(self, scope):
        return list_to_scope([name for name in scope_to_list(scope) if name in SCOPES])


clients = {
    "basic": Client("client_secret_basic", "basic-secret-000000000000000000000000"),
    "post": Client("client_secret_post", "post-secret-0000000000000000000000000"),
    # RFC 6749 §2.3.1 form-encodes id and secret before base64. Authlib undoes `%40` but not `+`, and leaves alone a `%`
    # that no two hex digits follow. So this secret, with its space and its `%rd`, is right as it is and wrong encoded.
    "raw-basic": Client("client_secret_basic", 'p@ss:w%rd +&=/?#"{}~-long-enough-secret'),
    "none": Client("none"),
    "cs-jwt": Client(
        JWT, key=JsonWebKey.import_key("cs-jwt-secret-0000000000000000000000000", {"kty": "oct"}), alg="HS256"
    ),
}


def learn_keys(folder):
    for alg in ["ES256", "RS256"]:
        name = f"pk-{alg.lower()}"
        jwk = json.loads((folder / f"{name}.jwk.json").read_text())
        public = {k: v for k, v in jwk.items() if k not in ["d", "p", "q", "dp", "dq", "qi"]}
        clients[name] = Client(JWT, key=JsonWebKey.import_key(public), alg=alg)


class Assertion(JWTBearerClientAssertion):
    CLIENT_AUTH_METHOD = JWT

    def create_claims_options(self):
        audiences = list(doors[request.scheme].values())
        return {**super().create_claims_options(), "aud": {"essential": True, "values": audiences}}

    def validate_jti(self, claims, jti):
        use = (claims["sub"], jti)
        with lock:
            fresh = use not in used_jti
            used_jti.add(use)
        return fresh

    # Authlib itself would take any algorithm that fits the key, and any kid.
    def resolve_client_public_key(self, client, headers):
        if not client.key or headers["alg"] != client.alg:
            raise InvalidClientError(description="The algorithm is not the one of the client")
        if client.key.kid and headers.get("kid", client.key.kid) != client.key.kid:
            raise InvalidClientError(description="The key is not the one of the client")
        return client.key


class Grant(ClientCredentialsGrant):
    # Authlib's default is client_secret_basic alone. `none` goes against RFC 6749 §4.4, which wants a client that can keep
    # a secret; Authlib does not object once it is listed here.
    TOKEN_ENDPOINT_AUTH_METHODS = ["client_secret_basic", "client_secret_post", JWT, "none"]


server = AuthorizationServer(app, query_client=clients.get, save_token=lambda token, request: None)
server.register_client_auth_method(JWT, Assertion(token_url=None))
server.register_grant(Grant)


@app.route("/token", methods=["GET", "POST"])
def token():
    g.entry = {
        "method": request.method,
        "path": request.environ["RAW_URI"],
        "headers": request.environ["porteur.headers"],
        "body": request.get_data().decode(errors="replace"),
        "status": None,
    }
    with lock:
        counts["token_requests"] += 1
        recent.append(g.entry)
    return server.create_token_response()


@app.after_request
def remember_status(answer):
    if "entry" in g:
        g.entry["status"] = answer.status_code
    return answer


@app.get("/__admin/stats")
def stats():
    return counts


@app.get("/__admin/last")
def last():
    with lock:
        return list(recent)


class Handler(WSGIRequestHandler):
    timeout = 20  # seconds without a byte, then the connection is closed

    def log_request(self, *_):
        pass

    # WSGI joins repeated headers and forgets the case and the order of names.
    def make_environ(self):
        return {**super().make_environ(), "porteur.headers": self.headers.items()}


def listen(scheme, context=None):
    listener = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Handler, ssl_context=context)
    if context:
        # The handshake then happens in the thread of its connection: a client that stays silent keeps nobody out.
        listener.socket.do_handshake_on_connect = False
    issuer = f"{scheme}://127.0.0.1:{listener.server_port}"
    doors[scheme] = {"issuer": issuer, "token_url": f"{issuer}/token"}
    threading.Thread(target=listener.serve_forever, daemon=True).start()
    return doors[scheme]


def main():
    for number in [signal.SIGTERM, signal.SIGINT]:
        signal.signal(number, lambda *_: sys.exit(0))
    if keys := os.environ.get("AUTHLIB_KEYS"):
        learn_keys(Path(keys))
    tls = None
    if certificate := os.environ.get("AUTHLIB_TLS_CERT"):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, os.environ["AUTHLIB_TLS_KEY"])
        tls = listen("https", context)
    print(json.dumps({**listen("http"), "tls": tls, "pid": os.getpid()}), flush=True)
    # Whoever started us holds our stdin: when it goes away, however it ended, so do we.
    while os.read(sys.stdin.fileno(), 4096):
        pass


main()

"""Usage: python -m cloud PORT [GITHUB_PORT GITHUB_TARGET]

Serves AWS on 127.0.0.1. With the second pair it also forwards GITHUB_PORT to GITHUB_TARGET without the /api/v3 prefix
that GitHub Enterprise clients add.

Environment, beside what eks.py and refusals.py read:
  LAB_RECORD   a file to which every AWS request is appended as one line of JSON:
               {"method", "uri": raw path?query, "headers": {…}, "body": base64}
"""

import base64
import io
import json
import os
import re
import sys
import threading
import urllib.error
import urllib.request

os.environ.setdefault("MOTO_IAM_LOAD_MANAGED_POLICIES", "true")

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app  # noqa: E402
from waitress import serve  # noqa: E402
from werkzeug.wrappers import Request, Response  # noqa: E402

from . import budgets, datasync, ec2, eks, identity, logs, organizations, perimeter, refusals, s3, sagemaker  # noqa: E402, F401


class Cloud:
    """moto's WSGI application, and the record of what it was asked."""

    def __init__(self, record):
        self.moto = DomainDispatcherApplication(create_backend_app)
        self.record = open(record, "a", encoding="utf-8") if record else None
        self.lock = threading.Lock()

    def __call__(self, environ, start_response):
        environ["RAW_URI"] = environ["REQUEST_URI"]  # the name under which moto looks for the path as sent
        request = Request(environ)
        body = request.get_data(cache=True, parse_form_data=False)
        environ["wsgi.input"] = io.BytesIO(body)
        if request.path == "/lab/token-review":
            return Response(identity.review(body), content_type="application/json")(environ, start_response)
        if self.record and not request.path.startswith("/moto-api"):
            self.note({
                "method": request.method, "uri": environ["RAW_URI"], "headers": dict(request.headers),
                "body": base64.b64encode(body).decode(),
            })
        if refusals.not_the_owner(request):
            denied = "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
            return Response(denied, 403, content_type="text/xml")(environ, start_response)
        return self.moto(environ, start_response)

    def note(self, asked):
        with self.lock:
            self.record.write(json.dumps(asked) + "\n")
            self.record.flush()


def github_proxy(target):
    def app(environ, start_response):
        request = Request(environ)
        path = re.sub(r"^/api/v3", "", request.full_path.rstrip("?")) or "/"
        headers = {k: v for k, v in request.headers if k.lower() not in ("host", "content-length", "accept-encoding")}
        upstream = urllib.request.Request(target + path, data=request.get_data() or None, headers=headers, method=request.method)
        try:
            reply = urllib.request.urlopen(upstream)
        except urllib.error.HTTPError as error:
            reply = error
        kept = [(k, v) for k, v in reply.headers.items() if k.lower() not in ("transfer-encoding", "connection", "content-length")]
        return Response(reply.read(), reply.status, kept)(environ, start_response)

    return app


def main():
    port = int(sys.argv[1])
    if len(sys.argv) == 4:
        options = {"host": "127.0.0.1", "port": int(sys.argv[2]), "threads": 8}
        threading.Thread(target=serve, args=(github_proxy(sys.argv[3]),), kwargs=options, daemon=True).start()
    # A reply goes out in one piece. AWS's Go client may drop the connection of a request whose reply has begun before
    # the request's last write has returned (its request body reports EOF as an error once closed); what it has read
    # by then still counts.
    addresses = ["127.0.0.1", *os.environ.get("LAB_LISTEN", "").split()]
    listen = " ".join(f"{address}:{port}" for address in addresses)
    serve(Cloud(os.environ.get("LAB_RECORD")), listen=listen, threads=16, send_bytes=1 << 20)


if __name__ == "__main__":
    main()

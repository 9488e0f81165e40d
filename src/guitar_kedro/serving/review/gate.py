"""Who may ask: this computer alone, or whoever has the token."""

from __future__ import annotations

import hmac
import secrets
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

MAX_BYTES = 1_000_000  # of a request


class Gate:
    """ASGI middleware that lets in only what the page asks.

    Where only this computer can reach the server, requests must call it by a name of this computer, or a page of
    another site could ask it under a name of its own (DNS rebinding). Elsewhere they must have the token, which the
    address that the command says puts into a cookie. What writes must come from the page itself.
    """

    def __init__(self, app: ASGIApp, host: str, port: int) -> None:
        """Wrap an application.

        Args:
            app: The application.
            host: IP address at which it is served.
            port: Likewise.
        """
        self._app = app
        self.token = "" if ip_address(host).is_loopback else secrets.token_urlsafe(24)
        names = ("localhost", f"[{host}]" if ":" in host else host)
        self._names = {f"{name}:{port}" for name in names} | (set(names) if port == 80 else set())
        self._cookie = f"review-{port}"  # cookies know no ports

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        refusal = self._refusal(scope) if scope["type"] == "http" else None
        await (refusal or self._app)(scope, receive, send)

    def _refusal(self, scope: Scope) -> Response | None:
        request = HTTPConnection(scope)
        headers = request.headers
        if not self.token and headers.get("host") not in self._names:
            return _refuse(421, "Ask for it at the address that `kedro review` says.")
        if self.token and not self._is_right(request.cookies.get(self._cookie)):
            return self._admitted(request) or _refuse(403, "Open the address that `kedro review` says, with its token.")
        if scope["method"] in ("GET", "HEAD"):
            return None
        origin = headers.get("origin")
        if headers.get("content-type") != "application/json" or urlsplit(origin or "").netloc != headers.get("host"):
            return _refuse(403, "Only the page itself may decide.")
        length = headers.get("content-length", "")
        if not length.isdecimal() or int(length) > MAX_BYTES:
            return _refuse(413, f"A request may have {MAX_BYTES:,} bytes at most.")
        return None

    def _admitted(self, request: HTTPConnection) -> Response | None:
        """Answer whoever comes with the token in the address: it moves into a cookie, and out of the address."""
        if request.scope["path"] != "/" or not self._is_right(request.query_params.get("token")):
            return None
        response = RedirectResponse("/", 303)
        response.set_cookie(self._cookie, self.token, httponly=True, samesite="strict")
        return response

    def _is_right(self, token: str | None) -> bool:
        return hmac.compare_digest((token or "").encode(), self.token.encode())


def _refuse(status: int, detail: str) -> Response:
    return JSONResponse({"detail": detail}, status)

"""What is said about every request: its id, a line in the log, numbers for Prometheus, headers that protect."""

from __future__ import annotations

import logging
import re
import time
import uuid
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

logger = logging.getLogger("guitar_kedro.serving.requests")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_METHODS = ("GET", "HEAD", "POST")  # of the routes; clients may invent others without end
_PROTECTION = {
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "cache-control": "no-store",
}


class Metrics:
    """What Prometheus is told.

    Attributes:
        registry: All of it.
        pictures: Counts pictures by outcome.
        batch: Sizes of the batches that the model answered.
    """

    def __init__(self, waiting: Callable[[], float], version: str) -> None:
        """Set everything to 0.

        Args:
            waiting: Gives the number of requests that have a place.
            version: Of the model.
        """
        self.registry = registry = CollectorRegistry()
        self.requests = Counter(
            "requests", "Requests by route and status.", ["method", "route", "status"], registry=registry
        )
        answering = "From the headers to the end of the answer."
        self.seconds = Histogram("request_seconds", answering, ["route"], registry=registry)
        self.pictures = Counter("pictures", "Pictures by decision, or unread.", ["outcome"], registry=registry)
        self.batch = Histogram(
            "batch_pictures", "Pictures answered at once.", buckets=(1, 2, 4, 8, 16), registry=registry
        )
        Gauge("waiting_requests", "Requests that are answered or wait.", registry=registry).set_function(waiting)
        Gauge("model_info", "The model that answers.", ["version"], registry=registry).labels(version).set(1)


class Watch:
    """ASGI middleware around the whole application.

    The log names routes, never what a client wrote into a path, a form or a file.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, is_ending: Callable[[], bool]) -> None:
        """Wrap an application.

        Args:
            app: The application.
            metrics: What is counted.
            is_ending: Whether the service will end, so that clients should not keep their connections.
        """
        self.app, self.metrics, self.is_ending = app, metrics, is_ending

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, status = time.perf_counter(), 0
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["x-request-id"] = request_id
                for name, value in _PROTECTION.items():
                    headers.setdefault(name, value)
                if self.is_ending():
                    headers["connection"] = "close"
            await send(message)

        try:
            await self.app(scope, receive, send_with_headers)
        except Exception:  # it was answered with 500
            logger.exception("%s failed", request_id)
        finally:
            self._tell(scope, request_id, status, time.perf_counter() - began)

    def _tell(self, scope: Scope, request_id: str, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "other")
        method = (scope["method"] if scope["method"] in _METHODS else "other") if route != "other" else "any"
        self.metrics.requests.labels(method, route, status).inc()
        self.metrics.seconds.labels(route).observe(seconds)
        logger.info("%s %s %s %d %.0f ms", request_id, method, route, status, 1000 * seconds)

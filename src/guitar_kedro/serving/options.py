"""What the service allows: ``serving`` in the parameters."""

from __future__ import annotations

from pydantic import PositiveFloat, PositiveInt

from guitar_kedro.options import Options


class ServingOptions(Options):
    """Limits of the service.

    Attributes:
        max_waiting: Requests that are answered or wait for it; what comes beyond is told to come again.
        max_bytes: Of the body of a request.
        max_pictures: In one request.
        max_seconds: In which a request is answered once it has arrived.
        slow_seconds: An upload that takes longer gives up its place among those that wait until it has arrived.
        upload_seconds: In which a body must arrive, and four times as long as a sender may pause.
        shutdown_seconds: For which a service that was told to end goes on, while ``/ready`` says that it will not.
        fetch_urls: Whether ``/predict-url`` fetches pictures from public addresses.
    """

    max_waiting: PositiveInt
    max_bytes: PositiveInt
    max_pictures: PositiveInt
    max_seconds: PositiveFloat
    slow_seconds: PositiveFloat
    upload_seconds: PositiveFloat
    shutdown_seconds: PositiveFloat
    fetch_urls: bool

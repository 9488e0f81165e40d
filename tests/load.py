"""Many clients of a web server at once."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Load:
    """What clients saw.

    Attributes:
        answers: Of each answer the seconds it took, the number of its picture, and the body.
        refused: How many requests were told to come again.
        failures: What else came instead of an answer.
    """

    answers: list[tuple[float, int, bytes]] = field(default_factory=list)
    refused: int = 0
    failures: list[str] = field(default_factory=list)

    @property
    def seconds(self) -> list[float]:
        """How long answers took, the quickest first."""
        return sorted(seconds for seconds, _, _ in self.answers)


def load(port: int, pictures: Sequence[bytes], clients: int, until: threading.Event, pause: float | None) -> Load:
    """Lets clients ask, each again and again, until an event.

    Args:
        port: Of the server, on this machine.
        pictures: What is asked, in turn.
        clients: How many ask at the same time.
        until: Whose setting ends it; what was asked before is waited for.
        pause: Seconds that a client waits who is told to come again; ``None`` for as long as it is told.
    """
    seen = Load()
    threads = [
        threading.Thread(target=_ask, args=(port, pictures, number, until, pause, seen)) for number in range(clients)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return seen


def after(seconds: float) -> threading.Event:
    """Gives an event that is set after so many seconds."""
    event = threading.Event()
    timer = threading.Timer(seconds, event.set)
    timer.daemon = True
    timer.start()
    return event


def _ask(
    port: int, pictures: Sequence[bytes], number: int, until: threading.Event, pause: float | None, seen: Load
) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    while not until.is_set():
        number = (number + 1) % len(pictures)
        began = time.perf_counter()
        try:
            connection.request("POST", "/predict", pictures[number], {"content-type": "image/jpeg"})
            response = connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException) as error:
            seen.failures.append(repr(error))
            connection.close()
            continue
        if response.status == 200:
            seen.answers.append((time.perf_counter() - began, number, body))
        elif response.status == 503:
            seen.refused += 1
            until.wait(float(response.getheader("retry-after")) if pause is None else pause)
        else:
            seen.failures.append(str(response.status))
    connection.close()

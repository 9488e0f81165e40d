"""What the owner of a network may rely on when the service is asked for pictures at addresses."""

from __future__ import annotations

from small_service import Running, jpeg


def test_fetching_is_off_unless_a_parameter_turns_it_on(service: Running, fetching_service: Running):
    with service.client() as client:
        assert client.post("/predict-url", json={"url": "http://example.org/a.jpg"}).status_code == 404
    with fetching_service.client() as client:
        answer = client.post("/predict-url", json={"url": "http://localhost/a.jpg"})
        assert (answer.status_code, answer.json()["reason"]) == (422, "address_refused")
        assert client.post("/predict-url", content=jpeg(1)).json()["reason"] == "no_address"

"""What a program may rely on that was made from the OpenAPI document of the service."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from small_service import Running

# whether bytes are a picture, and where an address leads, no schema can say
CONFIG = "[checks]\npositive_data_acceptance.expected-statuses = [200, 415, 422, 503]\n"


def test_the_service_does_what_its_document_says(fetching_service: Running, tmp_path: Path):
    (tmp_path / "schemathesis.toml").write_text(CONFIG)
    tool = Path(sys.executable).with_name("schemathesis")
    command = [tool, "run", f"{fetching_service.url}openapi.json", "--max-examples=30", "--seed=1"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, encoding="utf-8", timeout=300, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "6 passed" in run.stdout


def test_the_document_needs_nothing_from_elsewhere(fetching_service: Running):
    with fetching_service.client() as client:
        assert client.get("/openapi.json").json()["openapi"].startswith("3.")
        assert client.get("/docs").status_code == 404

"""A server on this machine that takes models as the Hugging Face hub does, and keeps them in memory."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import yaml

TOKEN, READS_ONLY = "hf_may_write", "hf_may_read"
LARGE = (".onnx", ".safetensors")


class Hub(ThreadingHTTPServer):
    """A hub: ``files`` holds the contents of files by repository and name, ``asked`` all requests."""

    def __init__(self) -> None:
        """Starts it."""
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, dict[str, bytes]] = {}
        self.large: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.commits = 0
        threading.Thread(target=self.serve_forever, args=[0.05], daemon=True).start()

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Hub

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        repository = re.match(r"/api/models/([^/]+/[^/]+)/tree/main", self._take())
        if repository is None:
            return self._answer({"error": "Not found"}, 404)
        files = self.server.files[repository[1]].items()
        self._answer([{"type": "file", "path": name, "size": len(each), "oid": "0" * 40} for name, each in files])

    def do_PUT(self) -> None:
        content, oid = self._body(), self._take().rpartition("/")[2]
        assert hashlib.sha256(content).hexdigest() == oid
        self.server.large[oid] = content
        self._answer({})

    def do_POST(self) -> None:
        content, path = self._body(), self._take()
        match self.headers.get("Authorization", "").removeprefix("Bearer "):
            case token if token == TOKEN:
                self._take_model(path, content)
            case token if token == READS_ONLY:
                self._answer({"error": "You don't have the rights to create a model under this namespace"}, 403)
            case _:
                self._answer({"error": "Invalid username or password."}, 401)

    def _take_model(self, path: str, content: bytes) -> None:
        if path == "/api/repos/create":
            wanted = json.loads(content)
            name = f"{wanted['organization']}/{wanted['name']}"
            self.server.files.setdefault(name, {})
            self._answer({"url": f"{self.server.url}/{name}"})
        elif path == "/api/validate-yaml":
            self._validate(json.loads(content)["content"])
        elif path.endswith("/preupload/main"):
            wanted = [file["path"] for file in json.loads(content)["files"]]
            modes = {name: "lfs" if name.endswith(LARGE) else "regular" for name in wanted}
            found = [{"path": name, "uploadMode": mode, "shouldIgnore": False} for name, mode in modes.items()]
            self._answer({"files": found})
        elif path.endswith(".git/info/lfs/objects/batch"):
            objects = [
                {**wanted, "actions": {"upload": {"href": f"{self.server.url}/large/{wanted['oid']}"}}}
                for wanted in json.loads(content)["objects"]
            ]
            self._answer({"transfer": "basic", "objects": objects})
        else:
            repository = re.fullmatch(r"/api/models/([^/]+/[^/]+)/commit/main", path)
            assert repository, path
            self._commit(self.server.files[repository[1]], [json.loads(line) for line in content.splitlines()])
            self._answer({"commitUrl": f"{self.server.url}/{repository[1]}/commit/1", "commitOid": "1" * 40})

    def _validate(self, card: str) -> None:
        header = yaml.safe_load(card.split("---\n")[1])
        errors = [] if re.fullmatch(r"[a-z0-9.-]+", header["license"]) else [{"message": '"license" must be one of'}]
        self._answer({"errors": errors, "warnings": []}, 400 if errors else 200)

    def _commit(self, files: dict[str, bytes], lines: list[dict[str, Any]]) -> None:
        self.server.commits += 1
        for line in lines:
            match line["key"], line["value"]:
                case "file", {"path": path, "content": content}:
                    files[path] = base64.b64decode(content)
                case "lfsFile", {"path": path, "oid": oid}:
                    files[path] = self.server.large[oid]
                case "deletedFile", {"path": path}:
                    del files[path]

    def _take(self) -> str:
        self.server.asked.append(self.path)
        return self.path.partition("?")[0]

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        content = b""
        while size := int(self.rfile.readline(), 16):
            content += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return content

    def _answer(self, answer: Any, code: int = 200) -> None:
        content = json.dumps(answer).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

"""An HTTP server on 127.0.0.1 that answers as it is told, faults included; asked as a proxy, it answers the same."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


@dataclass
class Answer:
    """One answer: `length` is what Content-Length says (None: the truth, -1: nothing), `sent` the share that comes.

    With a `gate` the second half comes only when it is opened; `halfway` says that the first is on its way. Where it
    `resumes`, who asks for the rest of this very file (by its `ETag` or `Last-Modified`) gets that, with `part` as the
    `Content-Range` (None: the truth).
    """

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    length: int | None = None
    sent: float = 1.0
    gate: threading.Event | None = None
    resumes: bool = False
    part: str | None = None
    halfway: threading.Event = field(default_factory=threading.Event)


@dataclass
class Server:
    """`answers` holds the answers to a path in their order, the last for ever; `asked` the addresses as they came,
    `ranges` what of each was asked for."""

    url: str
    answers: dict[str, list[Answer]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    ranges: list[str | None] = field(default_factory=list)

    def put(self, path: str, *answers: Answer) -> str:
        """The address at which these answers are given."""
        self.answers[path] = list(answers)
        return self.url + path


@contextmanager
def serve() -> Iterator[Server]:
    """A server in a thread of this process until the block is left."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.asked.append(self.path)
            answers = server.answers.get(urlsplit(self.path).path, [Answer(status=404)])
            answer = answers.pop(0) if len(answers) > 1 else answers[0]
            asked = self.headers["Range"]
            server.ranges.append(asked)
            known = {value for name, value in answer.headers.items() if name in ("ETag", "Last-Modified")}
            first = 0
            if answer.resumes and asked and self.headers["If-Range"] in known:
                first = int(asked.removeprefix("bytes=").removesuffix("-"))
            self.send_response(206 if first else answer.status)
            if first:
                given = answer.part or f"bytes {first}-{len(answer.body) - 1}/{len(answer.body)}"
                self.send_header("Content-Range", given)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            if answer.length != -1:
                length = len(answer.body) - first if answer.length is None else answer.length
                self.send_header("Content-Length", str(length))
            self.end_headers()
            body = answer.body[first : round(len(answer.body) * answer.sent)]
            half = len(body) // 2 if answer.gate else 0
            try:
                self.wfile.write(body[:half])
                answer.halfway.set()
                if answer.gate:
                    answer.gate.wait(10)
                self.wfile.write(body[half:])
            except OSError:
                pass  # who asked has gone

        def log_message(self, *_: object) -> None: ...

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    server = Server(f"http://127.0.0.1:{http.server_port}")
    threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()

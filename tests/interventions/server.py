"""A scripted OpenAI-compatible server on a real socket, which keeps its own bill."""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Reply:
    """What the server does with one request. `cut`: the socket is closed after that many characters of the text."""

    text: str = ""
    status: int = 200
    cut: int | None = None
    refusal: str = ""
    finish: str = "stop"
    headers: dict = field(default_factory=dict)
    error: dict = field(default_factory=dict)
    seconds: float = 0.0


class Server:
    """`script(request, n)` gives the reply to the n-th request (from 1). A context manager."""

    def __init__(self, script: Callable[[dict, int], Reply]):
        self.script = script
        self.requests: list[dict] = []
        self.answered: list[dict] = []  # requests that were billed
        self.tokens = 0  # billed
        self.at_once = self.most_at_once = 0
        self.arrivals: list[float] = []
        self.lock = threading.Lock()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_port}/v1"

    def __enter__(self) -> "Server":
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *exception) -> None:
        self._http.shutdown()
        self._http.server_close()

    def _handler(server) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args) -> None:
                pass

            def do_POST(self) -> None:
                request = json.loads(self.rfile.read(int(self.headers["content-length"])))
                with server.lock:
                    server.requests.append(request)
                    server.arrivals.append(time.monotonic())
                    number = len(server.requests)
                    server.at_once += 1
                    server.most_at_once = max(server.most_at_once, server.at_once)
                try:
                    self.answer(request, server.script(request, number))
                finally:
                    with server.lock:
                        server.at_once -= 1

            def answer(self, request: dict, reply: Reply) -> None:
                time.sleep(reply.seconds)
                if reply.status != 200:
                    body = json.dumps({"error": {"message": f"scripted {reply.status}", **reply.error}}).encode()
                    self.send_response(reply.status)
                    for name, value in {"content-length": str(len(body)), **reply.headers}.items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(body)
                    return
                prompt = sum(len(message["content"]) for message in request["messages"]) // 3 + 20
                completion = min(len(reply.text) // 3 + 1, request["max_completion_tokens"])
                with server.lock:
                    server.answered.append(request)
                    server.tokens += prompt + completion
                self.send_response(200)
                self.send_header("content-type", "text/event-stream")
                self.send_header("transfer-encoding", "chunked")
                self.end_headers()
                shown = reply.text if reply.cut is None else reply.text[: reply.cut]
                for start in range(0, len(shown), 40):
                    self.event({"delta": {"content": shown[start : start + 40]}})
                if reply.refusal:
                    self.event({"delta": {"refusal": reply.refusal}})
                if reply.cut is not None:
                    self.close_connection = True
                    return  # no finish reason, no last chunk
                self.event({"delta": {}, "finish_reason": reply.finish})
                usage = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
                self.event(None, usage=usage)
                self.chunk(b"data: [DONE]\n\n")
                self.wfile.write(b"0\r\n\r\n")

            def event(self, choice: dict | None, **more) -> None:
                choices = [] if choice is None else [{"index": 0, "finish_reason": None, **choice}]
                value = {"id": "c", "object": "chat.completion.chunk", "created": 0, "model": "scripted"}
                self.chunk(f"data: {json.dumps({**value, 'choices': choices, **more})}\n\n".encode())

            def chunk(self, data: bytes) -> None:
                self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
                self.wfile.flush()

        return Handler

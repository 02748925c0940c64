"""JSON-RPC 2.0 as Python programs speak it, and Prometheus's own reader of metrics: the other end
in farcall's tests.

    peer.py client --lib socket|http.client --addr HOST:PORT [--path /jsonrpc]
    peer.py server [--until-stdin-closes]       jsonrpcserver's own HTTP server
    peer.py metrics --addr HOST:PORT [--path /metrics]
    peer.py versions
"""

import argparse
import http.client
import json
import math
import platform
import socket
import sys
import threading
import time
import traceback
from http.server import HTTPServer
from importlib.metadata import version

from jsonrpcclient import Error, Ok, notification, parse, request
from jsonrpcserver import Error as Failure
from jsonrpcserver import InvalidParams, Result, Success, method
from jsonrpcserver.server import RequestHandler
from prometheus_client.parser import text_string_to_metric_families


# The services. jsonrpcserver hands params over as arguments: by name or by position.


@method(name="Arith.Mul")
def mul(A: int = 0, B: int = 0) -> Result:
    return Success({"C": A * B})


@method(name="Arith.Multiply")
def multiply(A: int = 0, B: int = 0) -> Result:
    return Success(A * B)


@method(name="Arith.Divide")
def divide(A: int = 0, B: int = 0) -> Result:
    if B == 0:
        return Failure(-32000, "divide by zero")
    return Success({"Quo": int(math.trunc(A / B)), "Rem": int(math.fmod(A, B))})


@method(name="HelloService.SayHello")
def say_hello(name: str) -> Result:
    return Success("Hello World:" + name)


@method(name="Echo.Kinds")
def kinds(**fields) -> Result:
    return Success(fields)


@method(name="Echo.Echo")
def echo(**fields) -> Result:
    return Success(fields)


@method(name="Echo.Bytes")
def echo_bytes(text: str) -> Result:
    return Success(text)


@method(name="Echo.Sleep")
def sleep(Ms: int = 0) -> Result:
    time.sleep(Ms / 1000)
    return Success({})


@method(name="Echo.Fail")
def fail(Code: int = 0, Message: str = "") -> Result:
    return InvalidParams(Message) if Code == -32602 else Failure(Code, Message)


def serve(until_stdin_closes: bool) -> None:
    # What jsonrpcserver.serve does, but for the address that is told.
    server = HTTPServer(("127.0.0.1", 0), RequestHandler)
    RequestHandler.log_message = lambda *_: None
    # A caller that has given up is nothing to write about.
    HTTPServer.handle_error = lambda *_: None
    print("listening on 127.0.0.1:%d" % server.server_port, flush=True)
    if until_stdin_closes:
        threading.Thread(target=lambda: (sys.stdin.read(), server.shutdown()), daemon=True).start()
    server.serve_forever()


class Socket:
    """As people write it: connect, send, receive until a line is there."""

    def __init__(self, addr: str, path: str):
        host, port = addr.rsplit(":", 1)
        self.sock = socket.create_connection((host, int(port)), timeout=60)
        self.rest = b""

    def send(self, message) -> None:
        self.sock.sendall(json.dumps(message).encode())

    def receive(self):
        while b"\n" not in self.rest:
            data = self.sock.recv(4096)
            if not data:
                raise EOFError("closed after %r" % self.rest)
            self.rest += data
        line, self.rest = self.rest.split(b"\n", 1)
        return json.loads(line)

    def call(self, message):
        self.send(message)
        return self.receive()

    def notify(self, message) -> None:
        self.send(message)

    def close(self) -> None:
        self.sock.close()


class Http:
    """http.client keeps its connection."""

    def __init__(self, addr: str, path: str):
        self.conn = http.client.HTTPConnection(addr, timeout=60)
        self.path = path
        self.sock = None

    def post(self, message) -> bytes:
        self.conn.request("POST", self.path, json.dumps(message), {"Content-Type": "application/json"})
        sock = self.conn.sock
        assert self.sock in (None, sock), "the connection was not kept"
        self.sock = sock
        response = self.conn.getresponse()
        body = response.read()
        assert 200 <= response.status < 300, (response.status, body)
        return body

    def call(self, message):
        return json.loads(self.post(message))

    def notify(self, message) -> None:
        assert self.post(message) == b""

    def close(self) -> None:
        self.conn.close()


def case_mul(c):
    for a, b in [(6, 7), (0, 0), (-3, 5), (2**53 + 1, 3)]:
        answer = parse(c.call(request("Arith.Mul", params={"A": a, "B": b})))
        assert isinstance(answer, Ok) and answer.result == {"C": a * b}, answer


def case_by_position(c):
    answer = parse(c.call(request("Arith.Multiply", params=(6, -7))))
    assert isinstance(answer, Ok) and answer.result == -42, answer


def case_hello(c):
    for name in ["", "Gö <&> \u2028\"\\", "🦀", "x" * 70000]:
        answer = parse(c.call(request("HelloService.SayHello", params=[name])))
        assert isinstance(answer, Ok) and answer.result == "Hello World:" + name, answer


def case_errors(c):
    for name, params, code, text in [
        ("Arith.Divide", {"A": 1, "B": 0}, None, "divide by zero"),
        ("Arith.Nothing", {}, -32601, None),
        ("Arith.Mul", {"A": "six"}, -32602, None),
        ("Echo.Fail", {"Code": 5, "Message": "kein Döner"}, None, "kein Döner"),
    ]:
        answer = parse(c.call(request(name, params=params)))
        assert isinstance(answer, Error), (name, answer)
        assert code in (None, answer.code) and text in (None, answer.message), (name, answer)


def case_ids(c):
    for number in [0, -1, 2**53, "text", "", "ключ \" \\", 1.5, None]:
        message = request("Arith.Multiply", params=[6, 7], id=number)
        if number is None:
            message["id"] = None
        answer = c.call(message)
        assert answer["id"] == number and answer["result"] == 42, answer


def case_notify(c):
    for _ in range(10):
        c.notify(notification("Arith.Multiply", params=[1, 2]))
        c.notify(notification("Arith.Divide", params=[1, 0]))


def case_batch(c):
    answers = c.call([
        request("Arith.Multiply", params=[2, 3], id=1),
        notification("Arith.Multiply", params=[2, 3]),
        request("Nobody.Home", id=2),
        request("Arith.Divide", params=[17, 5], id=3),
    ])
    assert sorted(answer["id"] for answer in answers) == [1, 2, 3], answers
    parsed = {answer.id: answer for answer in parse(answers)}
    assert parsed[1].result == 6 and parsed[2].code == -32601, parsed
    assert parsed[3].result == {"Quo": 3, "Rem": 2}, parsed


def case_python_json(c):
    # ensure_ascii escapes, spaces after colons, big floats that are whole.
    answer = c.call({"jsonrpc": "2.0", "id": 1, "method": "Arith.Multiply", "params": {"A": 6.0, "B": 7e0}})
    assert "error" in answer or answer["result"] == 42, answer


def run(lib: str, addr: str, path: str) -> int:
    connect = {"socket": Socket, "http.client": Http}[lib]
    cases = {name[5:].replace("_", "-"): case for name, case in globals().items() if name.startswith("case_")}
    if lib == "http.client":
        cases["pipelined"] = lambda _: pipelined(addr, path)
    failed = 0
    for name, case in cases.items():
        try:
            c = connect(addr, path)
            case(c)
            # The connection goes on.
            case_by_position(c)
            c.close()
            print("PASS", name)
        except Exception as error:
            failed += 1
            where = traceback.extract_tb(error.__traceback__)[-1].lineno
            print("FAIL %s: line %d: %r" % (name, where, error))
    print("%d passed, %d failed" % (len(cases) - failed, failed))
    return 1 if failed else 0


def pipelined(addr: str, path: str) -> None:
    """Ten requests in one write; the answers come in order."""
    host, port = addr.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=60) as sock:
        for i in range(10):
            body = json.dumps(request("Arith.Multiply", params=[i, 2], id=i))
            sock.sendall(("POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                          "Content-Length: %d\r\n\r\n%s" % (path, len(body), body)).encode())
        answers = sock.makefile("rb")
        for i in range(10):
            status = answers.readline()
            assert status.startswith(b"HTTP/1.1 200"), status
            headers = http.client.parse_headers(answers)
            answer = json.loads(answers.read(int(headers["Content-Length"])))
            assert answer == {"jsonrpc": "2.0", "result": 2 * i, "id": i}, answer


def metrics(addr: str, path: str) -> None:
    """Reads a page of metrics and says, as JSON, what it understood: a line for each number."""
    conn = http.client.HTTPConnection(addr, timeout=60)
    conn.request("GET", path)
    response = conn.getresponse()
    page = response.read().decode()
    assert response.status == 200, (response.status, page)
    assert response.getheader("Content-Type") == "text/plain; version=0.0.4; charset=utf-8"
    for family in text_string_to_metric_families(page):
        assert family.type in ("counter", "gauge", "histogram"), family
        assert family.documentation, family
        for sample in family.samples:
            print(json.dumps([family.type, sample.name, sample.labels, sample.value]))


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=["client", "metrics", "server", "versions"])
    parser.add_argument("--lib", default="socket", choices=["socket", "http.client"])
    parser.add_argument("--addr")
    parser.add_argument("--path")
    parser.add_argument("--until-stdin-closes", action="store_true")
    args = parser.parse_args()
    if args.command == "versions":
        for name in ["jsonrpcclient", "jsonrpcserver", "prometheus-client"]:
            print(name, version(name))
        print("Python", platform.python_version())
        return 0
    if args.command == "server":
        serve(args.until_stdin_closes)
        return 0
    if args.command == "metrics":
        metrics(args.addr, args.path or "/metrics")
        return 0
    return run(args.lib, args.addr, args.path or "/jsonrpc")


if __name__ == "__main__":
    sys.exit(main())

"""Makes one kind of call to `server.py` by way of the address it is given, and prints what came of it as one JSON line.

  python client.py ADDRESS CASE      CASE is the name of a function below
"""

import json
import sys
import threading

import grpc


def call(channel, kind, method):
    return getattr(channel, kind)(f"/test.Bytes/{method}")


def failure(error):
    trailers = {key: value for key, value in error.trailing_metadata() or [] if isinstance(value, str)}
    return {"code": error.code().value[0], "details": error.details(), "trailers": trailers}


def unary(channel):
    message, answer = call(channel, "unary_unary", "Unary").with_call(b"hello", metadata=[("x-own", "1")], timeout=20)
    initial, trailing = dict(answer.initial_metadata()), dict(answer.trailing_metadata())
    return {
        "message": message.decode(),
        "code": answer.code().value[0],
        "initial": initial.get("x-own"),
        "trailer": trailing.get("x-trailer"),
        "binary": list(trailing.get("x-binary-bin", b"")),
    }


def large(channel):
    message = bytes(range(256)) * 4096
    return {"same": call(channel, "unary_unary", "Unary")(message, timeout=20) == message, "size": len(message)}


def many(channel):
    ask = call(channel, "unary_unary", "Unary")
    asked = [(n, ask.future(str(n).encode(), timeout=20)) for n in range(100)]
    return {"same": all(future.result() == str(n).encode() for n, future in asked)}


def server_stream(channel):
    return {"count": len(list(call(channel, "unary_stream", "ServerStream")(bytes([200]), timeout=20)))}


def client_stream(channel):
    messages = (b"x" * 1000 for _ in range(300))
    return {"answer": call(channel, "stream_unary", "ClientStream")(messages, timeout=20).decode()}


def bidi(channel):
    """Sends a message only when the one before has come back: nobody on the way may wait for more."""
    turn, answers = threading.Semaphore(1), []

    def messages():
        for n in range(50):
            turn.acquire()
            yield str(n).encode()

    for answer in call(channel, "stream_stream", "Bidi")(messages(), timeout=20):
        answers.append(int(answer))
        turn.release()
    return {"same": answers == list(range(50))}


def fail(channel):
    failures = []
    for code in (3, 5, 7, 13, 14, 16):
        try:
            call(channel, "unary_unary", "Fail")(str(code).encode(), timeout=20)
        except grpc.RpcError as error:
            failures.append(failure(error))
    return {"failures": failures}


def fail_later(channel):
    messages = []
    try:
        for message in call(channel, "unary_stream", "FailLater")(b"first", timeout=20):
            messages.append(message.decode())
    except grpc.RpcError as error:
        return {"messages": messages, **failure(error)}
    return {"messages": messages}


def deadline(channel):
    left = int(call(channel, "unary_unary", "Deadline")(b"", timeout=15))
    try:
        list(call(channel, "unary_stream", "Wait")(b"", timeout=0.3))
    except grpc.RpcError as error:
        return {"left": left, **failure(error)}
    return {"left": left}


def cancel(channel):
    waiting = call(channel, "unary_stream", "Wait")(b"", timeout=20)
    first = next(waiting)
    waiting.cancel()
    return {"first": first.decode(), "code": waiting.code().value[0]}


def cancelled(channel):
    return {"count": int(call(channel, "unary_unary", "Cancelled")(b"", timeout=20))}


if __name__ == "__main__":
    address, case = sys.argv[1:]
    with grpc.insecure_channel(address) as channel:
        try:
            result = globals()[case](channel)
        except grpc.RpcError as error:
            result = failure(error)
        print(json.dumps(result), flush=True)

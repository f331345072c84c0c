"""A gRPC server whose messages are bytes: the other end of a call that goes through porteur. Loopback only, no TLS.

  python server.py      prints one JSON line with its address when ready; ends when stdin closes

  Unary           gives the message back with the metadata `x-…` it came with, first as header, then as trailer
  ServerStream    sends the message as many times as its first byte says
  ClientStream    gives the number of messages and of bytes
  Bidi            gives each message back as it comes
  Fail            ends with the status whose number the message is, and no message: a trailers-only answer
  FailLater       sends the message, then ends with status 10
  Wait            ends when the client cancels or its deadline passes
  Cancelled       gives the number of calls of Wait that were cancelled
  Deadline        gives the milliseconds that the call has left
"""

import json
import sys
import threading
from concurrent import futures

import grpc

CODES = {code.value[0]: code for code in grpc.StatusCode}

cancelled = 0
lock = threading.Lock()


def own(context):
    return [(key, value) for key, value in context.invocation_metadata() if key.startswith("x-own")]


def unary(message, context):
    context.send_initial_metadata(own(context))
    context.set_trailing_metadata([("x-trailer", "last"), ("x-binary-bin", b"\x00\xff")])
    return message


def server_stream(message, context):
    for _ in range(message[0]):
        yield message


def client_stream(messages, context):
    count = size = 0
    for message in messages:
        count += 1
        size += len(message)
    return f"{count} {size}".encode()


def bidi(messages, context):
    yield from messages


def fail(message, context):
    context.set_trailing_metadata([("x-why", "because")])
    context.abort(CODES[int(message)], "as you wish: \u00e9%")


def fail_later(message, context):
    yield message
    context.abort(grpc.StatusCode.ABORTED, "later")


def wait(message, context):
    """Counts where the call ends, not here: of one that ends while its message goes out nothing more is asked here."""
    over = threading.Event()

    def end():
        global cancelled
        if not over.is_set():
            with lock:
                cancelled += 1
            over.set()

    if not context.add_callback(end):
        end()
    yield b"waiting"
    over.wait(20)
    over.set()


def count_cancelled(message, context):
    return str(cancelled).encode()


def deadline(message, context):
    left = context.time_remaining()
    return str(-1 if left is None else round(left * 1000)).encode()


METHODS = {
    "Unary": grpc.unary_unary_rpc_method_handler(unary),
    "ServerStream": grpc.unary_stream_rpc_method_handler(server_stream),
    "ClientStream": grpc.stream_unary_rpc_method_handler(client_stream),
    "Bidi": grpc.stream_stream_rpc_method_handler(bidi),
    "Fail": grpc.unary_unary_rpc_method_handler(fail),
    "FailLater": grpc.unary_stream_rpc_method_handler(fail_later),
    "Wait": grpc.unary_stream_rpc_method_handler(wait),
    "Cancelled": grpc.unary_unary_rpc_method_handler(count_cancelled),
    "Deadline": grpc.unary_unary_rpc_method_handler(deadline),
}

if __name__ == "__main__":
    server = grpc.server(futures.ThreadPoolExecutor(32), options=[("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("test.Bytes", METHODS)])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(json.dumps({"address": f"127.0.0.1:{port}"}), flush=True)
    sys.stdin.read()
    server.stop(0)

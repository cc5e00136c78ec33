"""The child process: takes one task after the other from its parent, decodes, answers.

It is started by exec with a socket as standard input, opens no path but Python's own modules, and is
killed without a word when it takes too long.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Mapping
from typing import Any

from appliance.codec.confinement import allow_processor_time, confine, die_with
from appliance.codec.faults import SENTENCES, Kind
from appliance.codec.operations import OPERATIONS, find_operation
from appliance.codec.wire import FACTS, FAULT, READY, Wire, document_of


def main(operations: Mapping[str, str] = OPERATIONS) -> int:
    """Serve tasks until the parent closes the socket. The bounds come as JSON in the first argument."""
    bounds = document_of(sys.argv[1].encode())
    die_with(bounds["parent"])
    connection = socket.socket(fileno=os.dup(0))
    confine(bounds["memory_bytes"])
    # Loaded now, so that the first task does not wait for it; the decoders come with their first image.
    from appliance.codec.opened import read_leniently

    read_leniently()
    wire = Wire(connection)
    wire.send(READY, b"")
    try:
        while True:
            task, descriptor = wire.receive_task()
            allow_processor_time(bounds["deadline_seconds"])
            _serve(wire, task, descriptor, bounds["output_bytes"], operations)
    except (EOFError, ConnectionError):
        return 0


def _serve(wire: Wire, task: Mapping[str, Any], descriptor: int, most: int, operations: Mapping[str, str]) -> None:
    from appliance.codec.opened import Opened
    from appliance.codec.refusal import Refusal

    try:
        with Opened(
            descriptor, task["offset"], task["length"], task["transfer_syntax_uid"], task["assumed_charset"], most
        ) as opened:
            facts, data = find_operation(task["operation"], operations)(opened, task["arguments"])
            for piece in (data,) if isinstance(data, (bytes, bytearray, memoryview)) else data:
                wire.send_data(piece)
        wire.send_document(FACTS, facts)
    except Refusal as refusal:
        _refuse(wire, refusal.kind, refusal.reason)
    except MemoryError:
        _refuse(wire, Kind.TOO_LARGE, SENTENCES[Kind.TOO_LARGE])
    except ConnectionError:
        raise
    except Exception as error:  # boundary: decoders raise anything; its text may quote the object, its kind does not
        _refuse(wire, Kind.REFUSED, f"the object could not be read ({type(error).__name__})")


def _refuse(wire: Wire, kind: Kind, reason: str) -> None:
    wire.send_document(FAULT, {"kind": kind.value, "reason": reason})


if __name__ == "__main__":
    sys.exit(main())

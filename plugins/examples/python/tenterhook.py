"""What every plugin in Python needs: values as they cross to Temporal, and failures."""

import json
from typing import Callable, Optional

from componentize_py_types import Err
from wit_world.imports.values import Failure, FailureLink, Payload

_ENCODING = "encoding"
_JSON_PLAIN = b"json/plain"
_BINARY_NULL = b"binary/null"

# Types of failure that no further attempt can mend.
_FINAL = ("ValidationError", "AuthorizationError", "NotFound", "Conflict")


def encode(value: object) -> Payload:
    """`value` as Temporal stores it."""
    return Payload([(_ENCODING, _JSON_PLAIN)], json.dumps(value).encode())


def decode(payloads: list[Payload]) -> object:
    """The one value that an activity is given. Whoever calls may send anything: look at it before you use it."""
    if len(payloads) != 1:
        raise failure("ValidationError", f"{len(payloads)} values came in place of one")
    encoding = dict(payloads[0].metadata).get(_ENCODING, b"")
    if encoding == _BINARY_NULL:
        return None
    if encoding != _JSON_PLAIN:
        raise failure("ValidationError", f"encoding {encoding!r} is not understood here")
    return json.loads(payloads[0].data)


def failure(kind: str, message: str) -> Err[Failure]:
    """A failure to raise. `kind` is the type that retry policies and callers match on."""
    return Err(
        Failure(
            error=FailureLink(message=message, kind=kind, details=[], stack_trace=None),
            causes=[],
            non_retryable=kind in _FINAL,
            next_retry_delay=None,
            benign=False,
        )
    )


def answering(attempt: Callable[[], object]) -> Optional[Payload]:
    """What `attempt` returns; whatever it raises that is no failure becomes one, which is tried again."""
    try:
        return encode(attempt())
    except Err:
        raise
    except Exception as error:
        raise failure(type(error).__name__, str(error)) from error

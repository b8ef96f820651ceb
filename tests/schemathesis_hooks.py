"""What schemathesis has to know to send a component."""

import schemathesis


@schemathesis.serializer("application/wasm")
def component(_context, value):
    """Bytes as they are, whatever was made up."""
    return value if isinstance(value, bytes) else str(value).encode()

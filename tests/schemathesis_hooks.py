"""What schemathesis has to know of this API."""

import schemathesis


@schemathesis.serializer("application/wasm")
def component(_context, value):
    """Bytes as they are, whatever was made up."""
    return value if isinstance(value, bytes) else str(value).encode()


# What `schemathesis.toml` gives stands in every request, whatever was made up for it.
FURNISHED = {"tenant", "environment", "plugin", "wait"}


@schemathesis.hook
def filter_case(_context, case):
    """A request is no bad one for what was made up only in places that are given."""
    if case.meta is None or not case.meta.generation.mode.is_negative:
        return True
    data = case.meta.phase.data
    if (data.description or "").lower() == "positive test case":
        # Counted among the bad ones, though nothing of it is.
        return False
    made_up = {data.parameter} | {mutation.parameter for mutation in data.mutations}
    made_up.discard(None)
    return not made_up or not made_up <= FURNISHED

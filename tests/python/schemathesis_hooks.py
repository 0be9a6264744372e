"""What schemathesis may not send to the service API, because JSON Schema cannot say it. Run by tests/it/api/description.rs."""

import schemathesis


def whole(value):
    """To JSON Schema 16.0 is an integer. The service takes whole numbers written as such, and a test of its own says so."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [whole(one) for one in value]
    if isinstance(value, dict):
        return {name: whole(one) for name, one in value.items()}
    return value


@schemathesis.hook
def map_body(context, body):
    return whole(body)

"""What the programs beside this one say "this must be so" with. Who is wrong ends with a traceback and 1."""

import time


def equal(found, expected):
    assert found == expected, f"{found!r} should be {expected!r}"


def within(part, whole):
    assert part in whole, f"{part!r} should be in {whole!r}"


def raises(kind, call, status=None, words=""):
    """The error that `call` raises: of just this class, with this status and these words."""
    try:
        returned = call()
    except kind as error:
        assert type(error) is kind, f"{type(error)} should be {kind}"
        if status is not None:
            equal(error.response.status_code, status)
        within(words, str(error))
        return error
    raise AssertionError(f"{kind.__name__} should have been raised, and {returned!r} came back")


def eventually(what, so):
    """Waits until `so()` is true, half a minute at most, and returns what it said."""
    end = time.monotonic() + 30
    while not (found := so()):
        assert time.monotonic() < end, f"not so after 30 s: {what}"
        time.sleep(0.05)
    return found

"""Signals as a terminal leaves them: `nohup make test` and `make test &` let tests inherit ignored ones."""

import contextlib
import signal
from collections.abc import Iterator


@contextlib.contextmanager
def ordinary() -> Iterator[None]:
    """Let a program that is started in this block inherit no ignored signal.

    The tests themselves go on as if they ignored it: a signal with a handler is the default one again only in
    the program that exec(2) starts.
    """
    ignored = [number for number in signal.valid_signals() if signal.getsignal(number) is signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, lambda *_: None)
    try:
        yield
    finally:
        for number in ignored:
            signal.signal(number, signal.SIG_IGN)

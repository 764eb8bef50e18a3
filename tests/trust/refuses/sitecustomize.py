"""Refuse every connection and look-up in a process and its children, and write each down.

An audit hook: Python itself reports every socket that connects, whatever library asked for it.
"""

import os
import sys

WITH_ADDRESS = ("socket.connect", "socket.sendto", "socket.sendmsg")
BY_NAME = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr")


def refuse(event, arguments):
    """Raise what a machine without a network raises."""
    if event in WITH_ADDRESS:
        address = arguments[1]
        if not isinstance(address, tuple):
            return  # a Unix socket: another process of this machine
    elif event in BY_NAME:
        address = arguments[0]
    else:
        return
    flags = os.O_CREAT | os.O_APPEND | os.O_WRONLY
    descriptor = os.open(os.environ["REFUSALS"], flags)
    os.write(descriptor, f"{event} {address!r}\n".encode())
    os.close(descriptor)
    raise OSError(101, "Network is unreachable")


sys.addaudithook(refuse)

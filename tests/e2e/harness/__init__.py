"""What the end-to-end tests are made of: a raw client, a scripted origin, the real server."""

from .check import Failure, Skip
from .origin import Origin, Request, reply
from .registry import test
from .server import Server
from .wire import Client, Response

__all__ = ["Client", "Failure", "Origin", "Request", "Response", "Server", "Skip", "reply", "test"]

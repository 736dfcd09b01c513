"""Providers that refuse what the real ones refuse: for client applications, whose requests no test wrote."""

from .server import Strict, Upstream

__all__ = ["Strict", "Upstream"]

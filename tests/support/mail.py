"""An SMTP server that stores the mail it receives."""

from __future__ import annotations

import base64
import contextlib
import email
import email.policy
import socketserver
import ssl
import threading
from email.message import EmailMessage
from types import TracebackType


class MailServer:
    """Implements SMTP (RFC 5321). `refuse(code)` makes it reject messages.

    `tls` is the value of Loam's configuration for securing connections; with `context` the server supports it.
    """

    def __init__(self, tls: str = "none", context: ssl.SSLContext | None = None) -> None:
        self.taken: list[EmailMessage] = []
        self.recipients: list[list[str]] = []
        self.logins: list[tuple[str, str]] = []
        self._tls = tls
        self._refusals: list[int] = []
        mails = self

        class Conversation(socketserver.StreamRequestHandler):
            def say(self, text: str) -> None:
                self.wfile.write(f"{text}\r\n".encode())

            def handle(self) -> None:
                # A client that does not trust the certificate disconnects.
                with contextlib.suppress(ConnectionError, ssl.SSLError):
                    if tls == "implicit":
                        self.secure()
                    self.talk()

            def secure(self) -> None:
                self.connection = context.wrap_socket(self.connection, server_side=True)
                self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", buffering=0)

            def talk(self) -> None:
                recipients: list[str] = []
                self.say("220 mail.test")
                while line := self.rfile.readline().decode().strip():
                    verb = line.split(" ", 1)[0].upper()
                    if verb == "EHLO":
                        is_secure = isinstance(self.connection, ssl.SSLSocket)
                        self.say("250-mail.test")
                        self.say("250-AUTH PLAIN" if is_secure else "250-PIPELINING")
                        self.say("250 STARTTLS" if context and not is_secure else "250 8BITMIME")
                    elif verb == "STARTTLS" and context:
                        self.say("220 go on")
                        self.secure()
                    elif verb == "AUTH":
                        _, user, password = base64.b64decode(line.split(" ")[2]).decode().split("\0")
                        mails.logins.append((user, password))
                        self.say("235 welcome")
                    elif verb == "RCPT" and mails._refusals:
                        self.say(f"{mails._refusals.pop(0)} not now, or never")
                    elif verb == "RCPT":
                        recipients.append(line.partition("<")[2].rstrip(">"))
                        self.say("250 ok")
                    elif verb == "DATA":
                        self.say("354 go on")
                        mails.keep(self.letter(), recipients)
                        recipients = []
                        self.say("250 taken")
                    elif verb == "QUIT":
                        self.say("221 bye")
                        return
                    else:
                        self.say("250 ok")

            def letter(self) -> bytes:
                lines: list[bytes] = []
                while (line := self.rfile.readline()) not in (b".\r\n", b""):
                    lines.append(line[1:] if line.startswith(b"..") else line)
                return b"".join(lines)

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True

        self._server = Server(("127.0.0.1", 0), Conversation)
        self.port = self._server.server_address[1]

    def keep(self, letter: bytes, recipients: list[str]) -> None:
        self.recipients.append(recipients)
        self.taken.append(email.message_from_bytes(letter, policy=email.policy.default))

    def refuse(self, *codes: int) -> None:
        """The next recipients get these responses."""
        self._refusals += codes

    @property
    def env(self) -> dict[str, str]:
        """The configuration that makes Loam send mail here."""
        return {
            "LOAM_SMTP__HOST": "127.0.0.1",
            "LOAM_SMTP__PORT": str(self.port),
            "LOAM_SMTP__TLS": self._tls,
            "LOAM_SMTP__FROM": "Loam <loam@example.com>",
            "LOAM_SMTP__ALLOWED_DOMAINS": '["example.com"]',
        }

    def __enter__(self) -> MailServer:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()

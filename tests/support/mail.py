"""A server that takes e-mail by SMTP, and keeps what it took."""

from __future__ import annotations

import contextlib
import email
import email.policy
import socketserver
import threading
from email.message import EmailMessage
from types import TracebackType


class MailServer:
    """Says what a server has to (RFC 5321), and nothing of TLS. `refuse(code)` makes it say no to so many letters."""

    def __init__(self) -> None:
        self.taken: list[EmailMessage] = []
        self.recipients: list[list[str]] = []
        self._refusals: list[int] = []
        mails = self

        class Conversation(socketserver.StreamRequestHandler):
            def say(self, text: str) -> None:
                self.wfile.write(f"{text}\r\n".encode())

            def handle(self) -> None:
                with contextlib.suppress(ConnectionError):
                    self.talk()

            def talk(self) -> None:
                recipients: list[str] = []
                self.say("220 mail.test")
                while line := self.rfile.readline().decode().strip():
                    verb = line.split(" ", 1)[0].upper()
                    if verb == "EHLO":
                        self.say("250-mail.test")
                        self.say("250 8BITMIME")
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
        """The next recipients are answered with these."""
        self._refusals += codes

    @property
    def env(self) -> dict[str, str]:
        """What makes a Loam send its letters here."""
        return {
            "LOAM_SMTP__HOST": "127.0.0.1",
            "LOAM_SMTP__PORT": str(self.port),
            "LOAM_SMTP__TLS": "none",
            "LOAM_SMTP__FROM": "Loam <loam@example.com>",
        }

    def __enter__(self) -> MailServer:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()

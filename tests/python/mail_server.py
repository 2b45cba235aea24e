"""A mail server that takes mail by STARTTLS or TLS and only with a login, and writes each one into a folder.

mail_server.py PORT starttls|tls CERTIFICATE KEY USER PASSWORD FOLDER
"""

import asyncio
import pathlib
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult

PORT, SECURITY, CERTIFICATE, KEY, USER, PASSWORD, FOLDER = sys.argv[1:]


class Keep:
    def __init__(self):
        self.count = 0

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("nobody@"):
            return "550 no such user here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        self.count += 1
        encrypted = session.ssl is not None or SECURITY == "tls"
        head = f"Envelope: {envelope.mail_from} {','.join(envelope.rcpt_tos)} encrypted={encrypted}\n"
        path = pathlib.Path(FOLDER, f"{self.count}.eml")
        half = path.with_suffix(".half")
        half.write_bytes(head.encode() + envelope.content)
        half.rename(path)
        return "250 queued"


def login(server, session, envelope, mechanism, data):
    good = data.login == USER.encode() and data.password == PASSWORD.encode()
    return AuthResult(success=good, handled=False)


async def main():
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(CERTIFICATE, KEY)
    keep = Keep()
    starttls = SECURITY == "starttls"

    def made():
        return SMTP(
            keep,
            hostname="mail.test",
            tls_context=context if starttls else None,
            require_starttls=starttls,
            authenticator=login,
            auth_required=True,
            # With TLS from the first byte there is nothing to upgrade.
            auth_require_tls=starttls,
        )

    loop = asyncio.get_running_loop()
    server = await loop.create_server(made, "127.0.0.1", int(PORT), ssl=None if starttls else context)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())

"""An SMTP server for tests: takes mail of user `etl` with the password of the environment, and writes each to a file.

usage: mail.py starttls|tls|plain CERTIFICATE KEY DIRECTORY; its port is the first line of its output.
"""

import asyncio
import itertools
import json
import os
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult

kind, certificate, key, directory = sys.argv[1:]
numbers = itertools.count()


class Handler:
    async def handle_DATA(self, server, session, envelope):
        mail = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "text": envelope.content.decode(),
            "has_tls": session.ssl is not None or kind == "tls",
            "is_known": bool(session.authenticated),
        }
        path = os.path.join(directory, f"{next(numbers):03}.json")
        with open(path + ".part", "w") as file:
            json.dump(mail, file)
        os.rename(path + ".part", path)
        return "250 OK"


def authenticate(server, session, envelope, mechanism, login):
    is_right = (login.login.decode(), login.password.decode()) == ("etl", os.environ["MAIL_PASSWORD"])
    return AuthResult(success=is_right, handled=False)


async def main():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    def server():
        if kind == "plain":
            return SMTP(Handler())
        inner = context if kind == "starttls" else None
        wants_tls = kind == "starttls"
        return SMTP(
            Handler(),
            tls_context=inner,
            require_starttls=wants_tls,
            authenticator=authenticate,
            auth_required=True,
            auth_require_tls=wants_tls,
        )

    outer = context if kind == "tls" else None
    listening = await asyncio.get_running_loop().create_server(server, "127.0.0.1", 0, ssl=outer)
    print(listening.sockets[0].getsockname()[1], flush=True)
    await listening.serve_forever()


asyncio.run(main())

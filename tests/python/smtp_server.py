"""A mail server for tests: aiosmtpd, with certificates by trustme. The first line that it prints says its port; each further
line is a letter that it took, as JSON, read by Python's own email library.

How it answers depends on the recipient: `later@` is refused with 451 the first time, `never@` with 550, `cut@` loses the
connection in the middle of the letter the first time, `quoting@` is refused with words that repeat the letter's links.
"""

import asyncio
import email
import email.policy
import json
import re
import ssl
import sys

import trustme
from aiosmtpd.smtp import SMTP, AuthResult

options = json.loads(sys.argv[1])
refused = set()


def certificates():
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(options["authority"])
    return context


def first(name):
    is_first = name not in refused
    refused.add(name)
    return is_first


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, rcpt_options):
        local = address.split("@")[0]
        if local == "later" and first(local):
            return "451 4.7.1 greylisted, come again"
        if local == "never":
            return "550 5.1.1 there is nobody of this name"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        local = envelope.rcpt_tos[0].split("@")[0]
        if local == "cut" and first(local):
            server.transport.abort()
            return "451 gone"
        letter = email.message_from_bytes(envelope.content, policy=email.policy.default)
        text, html = (letter.get_body((kind,)).get_content() for kind in ("plain", "html"))
        if local == "quoting":
            return f"554 5.7.1 refused for {re.search(r'https?://[^ ]+', text).group()}"
        took = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "headers": [[name, str(value)] for name, value in letter.items()],
            "longest_line": max(len(line) for line in envelope.content.split(b"\r\n")),
            "text": text,
            "html": html,
            "is_encrypted": session.ssl is not None or options["tls"] == "implicit",
            "user": (session.auth_data or b"").decode() if session.authenticated else None,
            "called_itself": session.host_name,
        }
        print(json.dumps(took), flush=True)
        return "250 taken"


def authenticate(server, session, envelope, mechanism, auth_data):
    is_right = [auth_data.login.decode(), auth_data.password.decode()] == options["credentials"]
    return AuthResult(success=is_right, handled=False, auth_data=auth_data.login)


async def serve():
    context = certificates() if options["tls"] != "absent" else None
    settings = {"hostname": "mail.test", "enable_SMTPUTF8": True}
    if options["tls"] == "starttls":
        settings.update(tls_context=context, require_starttls=True)
    if options["credentials"]:
        is_starttls = options["tls"] == "starttls"
        settings.update(authenticator=authenticate, auth_required=True, auth_require_tls=is_starttls)
    loop = asyncio.get_running_loop()
    wrapper = context if options["tls"] == "implicit" else None
    server = await loop.create_server(lambda: SMTP(Handler(), **settings), "127.0.0.1", options["port"], ssl=wrapper)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    await server.serve_forever()


asyncio.run(serve())

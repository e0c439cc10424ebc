"""TLS on either side: certificates made for the tests, a client, contexts for origins."""

import contextlib
import pathlib
import ssl
import subprocess

from .check import Failure
from .server import ROOT
from .wire import Client

CERTIFICATES = ROOT / "conf/bad/parts/tls"
subprocess.run([ROOT / "tests/make-certificates", CERTIFICATES], check=True)


def path(name):
    return str(CERTIFICATES / name)


def certificate(name, **more):
    """The settings of one certificate of a listener."""
    return {"certificate": path(f"{name}.pem"), "key": path(f"{name}.key"), **more}


def text(name):
    return pathlib.Path(path(name)).read_text()


def context(*, version=None, client=None, protocols=None, verify=True, ciphers=None):
    """A client's: it trusts our CA and checks names."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.load_verify_locations(path("ca.pem"))
    if not verify:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    if version:
        made.minimum_version = made.maximum_version = version
    if client:
        made.load_cert_chain(path(f"{client}.pem"), path(f"{client}.key"))
    if protocols:
        made.set_alpn_protocols(protocols)
    if ciphers:
        made.set_ciphers(ciphers)
    return made


def server_context(name="origin", *, client_ca=None, version=None):
    """An origin's."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(path(f"{name}.pem"), path(f"{name}.key"))
    if version:
        made.minimum_version = made.maximum_version = version
    if client_ca:
        made.verify_mode = ssl.CERT_REQUIRED
        made.load_verify_locations(path(client_ca))
    return made


class TlsClient(Client):
    """As Client, over TLS. ended is "eof" after close_notify, "ragged" where it was missing, "alert" where the
    server sent one (.alert is OpenSSL's name of it)."""

    def __init__(self, address, *, name="site.example", using=None, session=None, **options):
        super().__init__(address, **options)
        self.alert = None
        raw = self.socket
        try:
            self.socket = (using or context()).wrap_socket(raw, server_hostname=name, session=session,
                                                           suppress_ragged_eofs=False)
        except BaseException:
            raw.close()
            raise

    def _more(self, seconds=None):
        try:
            return super()._more(seconds)
        except ssl.SSLEOFError:
            self.ended = "ragged"
        except ssl.SSLError as error:
            self.ended, self.alert = "alert", error.reason
        return b""

    @property
    def session(self):
        return self.socket.session

    @property
    def resumed(self):
        return self.socket.session_reused

    def peer_name(self):
        """The common name of the certificate that the server showed."""
        names = dict(pair for part in self.socket.getpeercert()["subject"] for pair in part)
        return names["commonName"]


def refused(connect):
    """What the server's alert was, or how else the handshake failed."""
    try:
        client = connect()
    except ssl.SSLError as error:
        return error.reason or str(error)
    except ConnectionError:
        return "RESET"
    # with TLS 1.3 a client is done before the server has judged it
    with contextlib.closing(client):
        client.send(b"")
        client.read_all()
        if client.ended == "alert":
            return client.alert
        raise Failure(f"the handshake went well, and then: {client.ended}")

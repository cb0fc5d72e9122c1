"""Where the system's certificate authorities are not where libcurl was built for, as with the tarball's on RHEL and
SUSE: /etc and /var are others, seen by the program alone."""

import ssl
import subprocess

import pytest

import far_side
from cli_program import Cli

PLACES = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
          "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", "/etc/ssl/ca-bundle.pem",
          "/var/lib/ca-certificates/ca-bundle.pem"]

ELSEWHERE = """mount -t tmpfs none /etc && mount -t tmpfs none /var && mkdir -p "${2%/*}" && cp "$1" "$2" && shift 2 &&
exec "$@" """


@pytest.fixture
def secure(tmp_path):
    """A far side over TLS, a program for it, and its certificate."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-keyout", tmp_path / "key.pem", "-out", tmp_path / "ca.pem", "-subj", "/CN=ca", "-days", "1",
                    "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
    side = far_side.FarSide()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "ca.pem", tmp_path / "key.pem")
    side.server.socket = context.wrap_socket(side.server.socket, server_side=True)
    yield Cli(tmp_path, side.url.replace("http:", "https:")), tmp_path / "ca.pem"
    side.close()


def elsewhere(certificate, place):
    wrapper = ["unshare", "--user", "--map-root-user", "--mount"]
    if subprocess.run([*wrapper, "true"], capture_output=True).returncode:
        pytest.skip("user namespaces are not allowed here")
    return [*wrapper, "sh", "-c", ELSEWHERE, "sh", certificate, place]


@pytest.mark.parametrize("place", PLACES)
def test_places(secure, place):
    cli, certificate = secure
    assert cli.run("tunnel", "list", wrapper=elsewhere(certificate, place)).ok().startswith("ID")


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "CURL_CA_BUNDLE"])
def test_variables(secure, variable):
    cli, certificate = secure
    wrapper = elsewhere(certificate, "/etc/mine.pem")
    assert cli.run("tunnel", "list", wrapper=wrapper, env={variable: "/etc/mine.pem"}).ok().startswith("ID")
    wrapper = elsewhere(certificate, PLACES[0])  # where libcurl's own is there, that one counts
    assert cli.run("tunnel", "list", wrapper=wrapper, env={variable: "/nowhere"}).ok().startswith("ID")


def test_nowhere(secure):
    cli, certificate = secure
    line = cli.run("tunnel", "list", wrapper=elsewhere(certificate, "/etc/unknown.pem")).failed(1)
    assert "install the package ca-certificates" in line and "GLOBUS_SDK_VERIFY_SSL" in line

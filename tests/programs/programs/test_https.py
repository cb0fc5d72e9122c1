"""curl to nginx over TLS by a mapped name."""

import pytest

from lab import BOTH_SPEEDS, free_port, need

pytestmark = BOTH_SPEEDS

NAME = "demo.example"


@pytest.fixture
def authority(lab):
    """A certificate authority and a certificate of its own for NAME."""
    openssl, folder = need("openssl"), lab.folder / "tls"
    folder.mkdir()
    lab.start(openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
              "-subj", "/CN=test authority", "-days", "2", "-keyout", folder / "ca.key", "-out",
              folder / "ca.pem").ok()
    lab.start(openssl, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
              "-subj", f"/CN={NAME}", "-keyout", folder / "key.pem", "-out", folder / "request.pem").ok()
    (folder / "names").write_text(f"subjectAltName=DNS:{NAME},DNS:localhost\n")
    lab.start(openssl, "x509", "-req", "-in", folder / "request.pem", "-CA", folder / "ca.pem", "-CAkey",
              folder / "ca.key", "-CAcreateserial", "-days", "2", "-extfile", folder / "names", "-out",
              folder / "cert.pem").ok()
    return folder


def nginx_conf(lab, tls, port):
    """An nginx that says which name it was asked for by SNI."""
    work = lab.folder / "nginx"
    work.mkdir()
    text = f"""
daemon off; master_process off; pid {work}/pid; error_log stderr warn;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {work}/body; proxy_temp_path {work}/proxy; fastcgi_temp_path {work}/fastcgi;
    uwsgi_temp_path {work}/uwsgi; scgi_temp_path {work}/scgi;
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {tls}/cert.pem; ssl_certificate_key {tls}/key.pem;
        location / {{ return 200 "asked for $ssl_server_name\\n"; }}
    }}
}}
"""
    path = work / "nginx.conf"
    path.write_text(text)
    return [need("nginx"), "-e", "stderr", "-c", path]


def curl(tls, url, *options):
    return [need("curl"), "--silent", "--show-error", "--max-time", "20", "--cacert", tls / "ca.pem",
            *options, url]


def test_mapped_name(lab, authority):
    """Certificate and SNI are those of the name that the user typed."""
    port = free_port()
    tunnel = lab.tunnel(mapped=[f"{NAME}:8443"], port=port)
    tunnel.listen(*nginx_conf(lab, authority, port))
    assert tunnel.call(*curl(authority, f"https://{NAME}:8443/")).ok() == f"asked for {NAME}\n"


def test_certificate_is_checked(lab, authority):
    """The generated name is not in the certificate: curl refuses, as it should."""
    port = free_port()
    tunnel = lab.tunnel(port=port)
    tunnel.listen(*nginx_conf(lab, authority, port))
    here = tunnel.call(*curl(authority, f"https://{tunnel.name}:{tunnel.fake_port}/"))
    assert here.wait() == 60, here
    here = tunnel.call(*curl(authority, f"https://{tunnel.name}:{tunnel.fake_port}/", "--insecure"))
    assert here.ok() == f"asked for {tunnel.name}\n"


def test_another_port_of_a_mapped_name(lab, authority):
    """A name that is mapped on one port means what it always meant on another: here, nothing."""
    tunnel = lab.tunnel(mapped=[f"{NAME}:8443"])
    under = tunnel.call(*curl(authority, f"https://{NAME}:8444/"))
    without = lab.start(*curl(authority, f"https://{NAME}:8444/"))
    assert under.wait() == without.wait() == 6
    assert under.err == without.err


def test_nothing_is_mapped_without_the_tool(lab, authority):
    """The name is not a real one: only the tool makes it lead anywhere."""
    assert lab.start(*curl(authority, f"https://{NAME}:8443/")).wait() == 6

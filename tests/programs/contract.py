"""The services' HTTP interface as globus-streams may rely on it: what each request and each answer looks like.

A shape is a type, a set of values, a pattern, None for null, a tuple of shapes of which one fits, a list with the
shape of its elements, or a dict: keys with a "?" behind them may be missing. In a request there is nothing but what
is named here; in an answer there may be more.
"""

import re

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(\+00:00|Z)")
TOKEN = re.compile(r"[\x21-\x7e]+")
URL = re.compile(r"https?://\S+")
PORT = range(1, 65536)

RELATION = {"data": {"type": str, "id": UUID}}
TUNNEL = {"type": {"Tunnel"}, "id": UUID,
          "attributes": {"label": (str, None), "state": re.compile("[A-Z_]+"), "status": (str, None),
                         "lifetime_mins": int, "restartable": bool, "created_time": TIME,
                         "listener_ip_address": (str, None), "listener_port": (PORT, None),
                         "initiator_ip_address": (str, None), "initiator_port": (PORT, None)},
          "relationships": {"initiator": RELATION, "listener": RELATION, "owner": RELATION}}
ACCESS_POINT = {"type": {"StreamAccessPoint"}, "id": UUID, "attributes": {"display_name": str, "tlsftp_server": str},
                "relationships": {"host_endpoint": RELATION}}
EVENT = {"type": {"TunnelEvent"}, "id": int, "attributes": {"code": str, "is_error": bool, "description": str,
                                                           "details": (str, None), "time": TIME}}
LAN_SECRET = {"DATA_TYPE": {"lan_secret#1.0.0"}, "id": UUID, "secret": str, "expires": int, "tunnel_id": UUID,
              "stream_access_point_id": UUID, "identity_id": UUID, "username": str}
GRANT = {"access_token": TOKEN, "refresh_token?": (TOKEN, None), "expires_in": int, "scope": str,
         "resource_server": str, "token_type": {"Bearer"}}


def envelope(data):
    return {"DATA_TYPE": str, "code": str, "http_response_code": int, "message": str, "detail": (str, None),
            "data": data, "authorization_parameters": (dict, None)}


def access_point_of(role):
    return {"data": {"type": {"StreamAccessPoint"}, "id": UUID}}


CREATION = {"data": {"type": {"Tunnel"},
                     "attributes": {"submission_id": UUID, "label?": str, "lifetime_mins?": int, "restartable?": bool},
                     "relationships": {role: access_point_of(role) for role in ("initiator", "listener")}}}
CHANGE = {"data": {"type": {"Tunnel"},
                   "attributes": ({"label": str}, {"state": {"STOPPING"}},
                                  {"listener_ip_address": str, "listener_port": PORT})}}
SECRET_WISH = {"DATA_TYPE": {"lan_secret_create#1.0.0"}, "tunnel_id": UUID, "stream_access_point_id": UUID}
TOKEN_WISH = ({"grant_type": {"client_credentials"}, "scope": str},
              {"grant_type": {"refresh_token"}, "refresh_token": TOKEN, "client_id": UUID},
              {"grant_type": {"authorization_code"}, "code": TOKEN, "redirect_uri": URL, "client_id": UUID,
               "code_verifier": re.compile(r"[A-Za-z0-9._~-]{43,128}")})

# method, path, who is asked (Basic: client credentials; None: nobody), the request's body, the status, the answer
TRANSFER, MANAGER, OPENID, CLIENT = "Transfer", "GCS Manager", "OpenID", "client"
REQUESTS = [
    ("POST", r"/v2/tunnels", TRANSFER, CREATION, 201, {"data": TUNNEL}),
    ("GET", r"/v2/tunnels", TRANSFER, None, 200, {"data": [TUNNEL]}),
    ("GET", r"/v2/tunnels/{}", TRANSFER, None, 200, {"data": TUNNEL}),
    ("PATCH", r"/v2/tunnels/{}", TRANSFER, CHANGE, 200, {"data": TUNNEL}),
    ("DELETE", r"/v2/tunnels/{}", TRANSFER, None, 200, {"data": None, "meta": dict}),
    ("GET", r"/v2/tunnels/{}/events", TRANSFER, None, 200, {"data": [EVENT]}),
    ("GET", r"/v2/stream_access_points", TRANSFER, None, 200, {"data": [ACCESS_POINT]}),
    ("GET", r"/v2/stream_access_points/{}", TRANSFER, None, 200, {"data": ACCESS_POINT}),
    ("GET", r"/v0\.10/endpoint/{}", TRANSFER, None, 200, {"gcs_manager_url": URL}),
    ("POST", r"/gcs/{}/api/lan_secrets", MANAGER, SECRET_WISH, 201, envelope([LAN_SECRET])),
    ("DELETE", r"/gcs/{}/api/lan_secrets/{}", MANAGER, None, 200, envelope(list)),
    ("POST", r"/v2/oauth2/token", CLIENT, TOKEN_WISH, 200, {**GRANT, "other_tokens": [GRANT]}),
    ("POST", r"/v2/oauth2/token/revoke", CLIENT, {"token": TOKEN, "client_id?": UUID}, 200, {"active": {False}}),
    ("GET", r"/v2/oauth2/userinfo", OPENID, None, 200, {"sub": UUID, "preferred_username": str, "name": str,
                                                        "email": str}),
]


def fault(value, shape, exact, where="it"):
    """What is wrong with a value; None: nothing. exact: nothing else may be there."""
    if isinstance(shape, tuple):
        faults = [fault(value, one, exact, where) for one in shape]
        return None if None in faults else "; ".join(faults)
    if isinstance(shape, dict):
        return fault_of_object(value, shape, exact, where)
    if isinstance(shape, list):
        if not isinstance(value, list):
            return f"{where} is no list"
        found = [fault(item, shape[0], exact, f"{where}[{i}]") for i, item in enumerate(value)]
        return next(filter(None, found), None)
    if shape is None:
        fits = value is None
    elif isinstance(shape, re.Pattern):
        fits = isinstance(value, str) and shape.fullmatch(value)
    elif isinstance(shape, type):
        fits = type(value) is shape
    else:
        fits = value in shape and type(value) in map(type, shape)
    return None if fits else f"{where} is {value!r}, which is no {shape}"


def fault_of_object(value, shape, exact, where):
    if not isinstance(value, dict):
        return f"{where} is no object"
    for key, inner in shape.items():
        name = key.removesuffix("?")
        if name in value:
            if found := fault(value[name], inner, exact, f"{where}.{name}"):
                return found
        elif not key.endswith("?"):
            return f"{where} lacks {name}"
    more = set(value) - {key.removesuffix("?") for key in shape} if exact else set()
    return f"{where} has {more} too" if more else None


def request_of(exchange):
    """The row of REQUESTS that an exchange belongs to."""
    for row in REQUESTS:
        if row[0] == exchange.method and re.fullmatch(row[1].replace("{}", UUID.pattern), exchange.path):
            return row
    raise AssertionError(f"no such request: {exchange}")


# How services refuse.
JSON_API = {"errors": [{"code": str, "title": str, "detail": str}]}
DETAIL = {"detail": [{"loc": list, "msg": str, "type": str}]}
TRANSFER_V010 = {"code": str, "message": str, "request_id": str}
OAUTH = {"error": str, "error_description?": str}

"""What schemathesis has to know about CloudStack's API: how calls are signed, and which statuses are no fault.

Loaded through SCHEMATHESIS_HOOKS; keys come from GATEWAY_KEY and GATEWAY_SECRET.
"""

import base64
import hashlib
import hmac
import os
import urllib.parse

import schemathesis

KEY = os.environ["GATEWAY_KEY"]
SECRET = os.environ["GATEWAY_SECRET"]
# What the rim serves before it asks who calls.
UNSIGNED = ("login", "logout", "validateUserTwoFactorAuthenticationCode")
# CloudStack's own statuses reach from 530 to 537 and mean what the caller did; a fault inside has this second code.
RUNTIME_FAULT = 4250
# What callers did and CloudStack tells with that code all the same.
NO_FAULT = ("already exists in domain",)


def encoded(value):
    """As Java's URLEncoder, with %20 for a blank."""
    return urllib.parse.quote(value, safe="*-._").replace("~", "%7E")


def signed(pairs):
    """The pairs with key and signature, as a query."""
    pairs = [*pairs, ("apiKey", KEY)]
    text = "&".join(f"{name}={encoded(value)}" for name, value in sorted(pairs)).lower()
    digest = hmac.new(SECRET.encode(), text.encode(), hashlib.sha1).digest()
    pairs.append(("signature", base64.b64encode(digest).decode()))
    return urllib.parse.urlencode(pairs, quote_via=urllib.parse.quote)


def texts(value):
    """A generated value as the text that stands in a query."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ",".join(texts(item) for item in value)
    return str(value)


def flat(name, value):
    """A generated parameter as pairs: maps become name[0].key=value."""
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        for index, item in enumerate(value):
            for key, inner in item.items() if isinstance(item, dict) else ():
                yield f"{name}[{index}].{key}", texts(inner)
    elif value is not None:
        yield name, texts(value)


def without_surrogates(text):
    """Half of a pair of code units is no text that can be sent."""
    return text.encode("utf-8", "replace").decode()


@schemathesis.hook
def before_call(context, case, kwargs):
    command = case.operation.path.rsplit("/", 1)[1]
    generated = {**(case.query or {}), **(case.body if isinstance(case.body, dict) else {})}
    generated.pop("response", None)
    pairs = [
        (without_surrogates(name), without_surrogates(text))
        for key, value in generated.items()
        for name, text in flat(key, value)
        if name.lower() not in ("apikey", "signature", "signatureversion", "expires", "command", "response")
    ]
    unique = {"command": command, "response": "json", **dict(pairs)}
    pairs = list(unique.items())
    query = urllib.parse.urlencode(pairs) if command in UNSIGNED else signed(pairs)
    sent = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
    # A form where there is one: it may be longer than a query.
    if isinstance(case.body, dict):
        case.query, case.body = {}, sent
    else:
        case.query = sent


@schemathesis.check
def no_fault_inside(context, response, case):
    """No 500 to 529, and no 530 that speaks of a fault inside."""
    if case.method not in ("GET", "POST"):
        # Verbs that the API does not know are answered as a servlet container does.
        if response.status_code not in (200, 403, 405, 501):
            raise AssertionError(f"{case.method}: status {response.status_code}")
        return
    if 500 <= response.status_code < 530:
        raise AssertionError(f"status {response.status_code}: {response.text[:300]}")
    body = response.json() if response.headers.get("content-type", [""])[0].startswith("application/json") else {}
    inner = next(iter(body.values()), {}) if isinstance(body, dict) else {}
    if isinstance(inner, dict) and inner.get("cserrorcode") == RUNTIME_FAULT:
        text = inner.get("errortext", "")
        if not any(known in text for known in NO_FAULT):
            raise AssertionError(f"a fault inside: {text}")

"""Makes generated requests meet what is on record: random ids alone would only ever find nothing.

Only requests that keep to the document are touched; those that break it on purpose go out as they are.
"""

import json
import os
import random
import urllib.request
import uuid

import schemathesis
from schemathesis import GenerationMode

BASE = os.environ["API_CHECK_BASE"]
TOKEN = os.environ.get("API_CHECK_TOKEN", "")
# Of ten requests, so many get ids of records that are there.
KNOWN_OF_TEN = 8
chance = random.Random(20261123)

# Fields of bodies, and parts of paths, that name a record of a list.
LISTS = {
    "operator": "/operators",
    "site": "/sites",
    "product": "/products",
    "lot": "/lots",
    "input": "/inputs",
    "agency": "/agencies",
    "certificate": "/certificates",
    "replaces": "/certificates?status=void",
    "printer": "/devices?kind=printer",
}
FIXED = {"area": "430321103", "uscc": "", "uscc_override": "", "public_url": BASE.split("/api")[0]}
records = {}


def known(path):
    """Ids of the first page of a list, read anew now and then."""
    ids, calls = records.get(path, ([], 0))
    if calls % 50 == 0:
        if path.startswith("/sites") or path.startswith("/authorisations"):
            operators = known("/operators") or [""]
            url = f"{BASE}{path}?operator={chance.choice(operators)}"
        else:
            url = BASE + path
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {TOKEN}"})
        try:
            items = json.load(urllib.request.urlopen(request, timeout=10))["items"]
            ids = [item.get("id") or item["content"]["code"] for item in items]
        except (OSError, ValueError, KeyError):
            ids = []
    records[path] = (ids, calls + 1)
    return ids


def one_of(path, otherwise):
    ids = known(path)
    return chance.choice(ids) if ids else otherwise


def fill(body):
    for name, value in body.items():
        if value is None:
            continue
        if name in FIXED:
            body[name] = FIXED[name]
        elif name in LISTS and isinstance(value, str):
            body[name] = one_of(LISTS[name], value)


@schemathesis.hook
def before_call(context, case, kwargs):
    is_good = case.meta is not None and case.meta.generation.mode == GenerationMode.POSITIVE
    if not is_good:
        return
    # A cursor is of one list; any other is refused, and says so.
    if case.query:
        case.query.pop("cursor", None)
    # These two lists are of one operator, unless a producer asks.
    if case.method == "GET" and case.path.endswith(("/sites", "/authorisations")):
        case.query = {**(case.query or {})}
        case.query.setdefault("operator", one_of("/operators", "x"))
    # A key is of one request.
    if case.headers and case.headers.get("Idempotency-Key"):
        case.headers["Idempotency-Key"] = uuid.uuid4().hex
    if not TOKEN or chance.randrange(10) >= KNOWN_OF_TEN:
        return
    if isinstance(case.body, dict):
        fill(case.body)
    noun = case.path.split("/")[1] if not case.path.startswith("/api") else case.path.split("/")[3]
    for name in case.path_parameters or {}:
        if name in ("id", "code") and noun != "codes":
            case.path_parameters[name] = one_of(f"/{noun}", case.path_parameters[name])
        elif name == "code":
            case.path_parameters[name] = one_of("/certificates", case.path_parameters[name])

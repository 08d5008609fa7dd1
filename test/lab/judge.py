"""Holds recorded AWS requests against the API models that AWS publishes with botocore: required members, lengths, ranges, patterns
and enumerations, members that the model lacks.

Usage: judge.py RECORD [WAIVERS]

RECORD is what cloud/__main__.py writes. WAIVERS has lines "SERVICE.OPERATION MEMBER RULE: reason". Prints a line for each violation
that no waiver explains and for each waiver that explains nothing, then what was judged. Exit code 1 if there are such lines, 2 if a
request could not be read or there are none.
"""

import base64
import collections
import io
import json
import re
import sys
from urllib.parse import unquote, urlsplit

import botocore.loaders
from moto.core.model import ServiceModel
from moto.core.parse import PROTOCOL_PARSERS, UNDEFINED, XFormedDict
from werkzeug.datastructures import Headers, MultiDict
from werkzeug.wrappers import Request

LOADER = botocore.loaders.Loader()
# Names in signatures for which botocore has another, or several of which one is meant.
SERVICES = {"monitoring": "cloudwatch", "events": "events", "tagging": "resourcegroupstaggingapi"}


class Models:
    """botocore's service models by the name that requests are signed for."""

    def __init__(self):
        self.loaded = {}

    def of(self, signed):
        if signed not in self.loaded:
            name = SERVICES.get(signed, signed)
            model = LOADER.load_service_model(name, "service-2")
            self.loaded[signed] = ServiceModel(model, service_name=name)
        return self.loaded[signed]


def operation_of(service, request):
    """Returns the operation's model and what the path's variables stand for."""
    target = request.headers.get("X-Amz-Target")
    if target:
        return service.operation_model(target.rpartition(".")[2]), {}
    if service.metadata["protocol"] in ("query", "ec2"):
        return service.operation_model(request.values["Action"]), {}
    found = []
    path = urlsplit(request.environ["RAW_URI"]).path
    for name in service.operation_names:
        operation = service.operation_model(name)
        pattern, _, query = operation.http["requestUri"].partition("?")
        if operation.http["method"] != request.method:
            continue
        wanted = [part.partition("=")[0] for part in query.split("&") if part]
        if service.service_name == "s3" and pattern == "/" and operation.input_shape and "Bucket" in operation.input_shape.members:
            pattern = "/{Bucket}"
        if not all(part in request.args for part in wanted):
            continue
        match = re.fullmatch(expression(pattern), path.rstrip("/") or "/") or re.fullmatch(expression(pattern), path)
        if match:
            variables = {urldecode_name(k): v for k, v in match.groupdict().items()}
            found.append((needed_headers(operation, request), len(wanted), len(pattern.split("{")) * -1, name, operation, variables))
    if not found:
        raise LookupError(f"{service.service_name}: no operation for {request.method} {request.environ['RAW_URI']}")
    found.sort(key=lambda each: each[:3])
    *_, operation, variables = found[-1]
    return operation, variables


def needed_headers(operation, request):
    """Ranks operations with the same address: -1 if a required header is missing, else how many are there."""
    shape, count = operation.input_shape, 0
    for name in shape.required_members if shape else []:
        serialization = shape.members[name].serialization
        if serialization.get("location") in ("header", "querystring"):
            source = request.headers if serialization["location"] == "header" else request.args
            if serialization["name"] not in source:
                return -1
            count += 1
    return count


def expression(pattern):
    names = []

    def variable(match):
        name = match.group(1)
        names.append(name)
        return f"(?P<{group_name(name.rstrip('+'))}>{'.+' if name.endswith('+') else '[^/]+'})"

    return re.sub(r"\\\{([^}]+?)\\\}", lambda m: variable(re.match(r"(.*)", m.group(1).replace("\\", ""))), re.escape(pattern))


def group_name(name):
    return name.replace("-", "__")


def urldecode_name(name):
    return name.replace("__", "-")


def parameters(service, operation, variables, request):
    protocol = service.metadata["protocol"]
    if request.headers.get("X-Amz-Target"):
        protocol = "json"
    elif (request.content_type or "").startswith("application/x-www-form-urlencoded") and protocol not in ("query", "ec2"):
        protocol = "query"
    values, body = MultiDict(request.values), request.get_data()
    payload = operation.input_shape.serialization.get("payload") if operation.input_shape else None
    if payload and operation.input_shape.members[payload].type_name == "blob":
        body = body.decode("latin-1")  # one character for each byte: the parser would take the bytes of an object for text
    return PROTOCOL_PARSERS[protocol](operation, map_type=dict).parse({
        "body": body, "headers": request.headers, "method": request.method, "url_params": variables,
        "url_path": request.path, "values": values,
    })


class Verdict:
    def __init__(self, where):
        self.where, self.found = where, []

    def against(self, member, rule, value):
        self.found.append((self.where, member, rule, value))

    def shape(self, shape, value, path):
        if value is None or value is UNDEFINED:
            return
        rules = shape.metadata
        kind = shape.type_name
        if kind == "structure":
            for name in rules.get("required", []):
                if value.get(name) in (None, UNDEFINED):
                    self.against(f"{path}.{name}".lstrip("."), "required", "")
            for name, each in value.items():
                if name in shape.members:
                    self.shape(shape.members[name], each, f"{path}.{name}".lstrip("."))
        elif kind == "list":
            self.size(rules, len(value), path, "elements", value)
            for each in value:
                self.shape(shape.member, each, path + "[]")
        elif kind == "map":
            self.size(rules, len(value), path, "entries", value)
            for key, each in value.items():
                self.shape(shape.key, key, path + "{key}")
                self.shape(shape.value, each, path + "{}")
        elif kind == "string":
            self.size(rules, len(value), path, "length", value)
            if rules.get("enum") and value not in rules["enum"]:
                self.against(path, "enum", value)
            if rules.get("pattern") and not matches(rules["pattern"], value):
                self.against(path, "pattern " + rules["pattern"], value)
        elif kind in ("integer", "long", "float", "double"):
            self.size(rules, value, path, "value", value)

    def size(self, rules, size, path, what, value):
        if "min" in rules and size < rules["min"] or "max" in rules and size > rules["max"]:
            self.against(path, f"{what} {rules.get('min', '')}..{rules.get('max', '')}", value)


def matches(pattern, value):
    """AWS's patterns are Java's and describe the whole value."""
    pattern = re.sub(r"\\p\{(L|Alpha|IsAlphabetic)\}", "a-zA-Z\u00c0-\uffff", pattern)
    pattern = re.sub(r"\\p\{[NMS]\}|\\p\{IsDigit\}", "0-9", pattern)
    pattern = re.sub(r"\\p\{(Z|IsSpace|Space|Zs)\}", " ", pattern).replace("\\p{Graph}", "\\x21-\\x7e").replace("\\p{ASCII}", "\\x00-\\x7f")
    pattern = re.sub(r"\\u([0-9A-Fa-f]{4})", lambda m: re.escape(chr(int(m.group(1), 16))), pattern)
    flags = re.DOTALL | (re.IGNORECASE if "(?i)" in pattern else 0)
    return re.fullmatch(re.sub(r"\(\?[imsx]+\)", "", pattern), value, flags) is not None


def strangers(shape, value, path=""):
    """Yields the members of a JSON body that the model lacks."""
    if shape is None or shape.type_name == "structure" and getattr(shape, "is_document_type", False):
        return
    if shape.type_name == "structure" and isinstance(value, dict):
        known = {each.serialization.get("name", name): each for name, each in shape.members.items()}
        for name, each in value.items():
            if name not in known:
                yield f"{path}.{name}".lstrip(".")
            else:
                yield from strangers(known[name], each, f"{path}.{name}".lstrip("."))
    elif shape.type_name == "list" and isinstance(value, list):
        for each in value:
            yield from strangers(shape.member, each, path + "[]")
    elif shape.type_name == "map" and isinstance(value, dict):
        for each in value.values():
            yield from strangers(shape.value, each, path + "{}")


def prepare(models, asked):
    """Returns service, operation, what the path's variables stand for and the request; None for a request without a signature."""
    headers = Headers(list(asked["headers"].items()))
    signature = re.search(r"Credential=[^/]*/\d+/[^/]*/([^/]+)/aws4_request", headers.get("Authorization", ""))
    if not signature:
        return None
    body = base64.b64decode(asked["body"])
    address = urlsplit(asked["uri"])
    environ = {
        "REQUEST_METHOD": asked["method"], "PATH_INFO": unquote(address.path), "QUERY_STRING": address.query, "wsgi.input": io.BytesIO(body),
        "CONTENT_LENGTH": str(len(body)), "CONTENT_TYPE": headers.get("Content-Type", ""), "SERVER_NAME": "localhost", "SERVER_PORT": "80",
        "wsgi.url_scheme": "http", "RAW_URI": asked["uri"], **{"HTTP_" + k.upper().replace("-", "_"): v for k, v in headers.items()},
    }
    request = Request(environ)
    request.get_data(cache=True, parse_form_data=False)
    service = models.of(signature.group(1))
    return service, *operation_of(service, request), request


def read(models, asked):
    """Returns the names of service and operation, and the operation's parameters."""
    service, operation, variables, request = prepare(models, asked)
    return service.service_name, operation.name, parameters(service, operation, variables, request)


def judge(models, asked):
    """Returns the operation and what the request violates; None for a request without a signature."""
    prepared = prepare(models, asked)
    if prepared is None:
        return None
    service, operation, variables, request = prepared
    body = request.get_data()
    verdict = Verdict(f"{service.service_name}.{operation.name}")
    if operation.input_shape is not None:
        given = parameters(service, operation, variables, request)
        if given.get("CopySource"):
            given["CopySource"] = unquote(given["CopySource"])  # which S3 demands encoded
        verdict.shape(operation.input_shape, given, "")
        if service.metadata["protocol"] in ("json", "rest-json") and body and "payload" not in operation.input_shape.serialization:
            for member in strangers(operation.input_shape, json.loads(body)):
                verdict.against(member, "unknown", "")
    return verdict


def read_waivers(file):
    waivers = {}
    for number, line in enumerate(open(file, encoding="utf-8"), 1):
        if line.strip() and not line.startswith("#"):
            rule, separator, reason = line.strip().partition(": ")
            if not separator or len(rule.split()) < 3 or not reason:
                sys.exit(f"{file}:{number}: is not SERVICE.OPERATION MEMBER RULE: reason")
            waivers[tuple(rule.split(maxsplit=2))] = 0
    return waivers


def main():
    waivers = read_waivers(sys.argv[2]) if len(sys.argv) > 2 else {}
    models, counts, faults, unread = Models(), collections.Counter(), collections.Counter(), collections.Counter()
    for line in open(sys.argv[1], encoding="utf-8"):
        asked = json.loads(line)
        try:
            verdict = judge(models, asked)
        except Exception as error:  # whatever it is, the request was not judged
            unread[f"{asked['method']} {asked['uri'].split('?')[0]}: {type(error).__name__}: {error}"] += 1
            continue
        if verdict is None:
            counts["without a signature"] += 1
            continue
        counts[verdict.where] += 1
        for where, member, rule, value in verdict.found:
            waiver = next((w for w in waivers if w[0] in (where, where.split(".")[0] + ".*") and w[1] == member and rule.startswith(w[2])), None)
            if waiver:
                waivers[waiver] += 1
            else:
                faults[f"{where} {member} {rule}: {json.dumps(value)[:120]}"] += 1
    unused = [w for w, used in waivers.items() if not used]
    for fault, times in sorted(faults.items()):
        print(f"{times} x {fault}")
    for waiver in unused:
        print(f"waiver explains nothing: {' '.join(waiver)}")
    for request, times in sorted(unread.items()):
        print(f"{times} x not read: {request}")
    signed = sum(n for name, n in counts.items() if name != "without a signature")
    print(f"{signed} requests of {len(counts)} operations judged, {sum(waivers.values())} violations explained")
    sys.exit(2 if unread or not signed else 1 if faults or unused else 0)


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: Apache-2.0
"""Signatures of AWS, made by botocore: a line of JSON asks for one, a line of JSON answers.

A request is signed as its signer says it signed it: with those headers, at that time, for that scope.
"""
import base64
import json
import sys

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

for line in sys.stdin:
    asked = json.loads(line)
    request = AWSRequest(
        method=asked["method"],
        url=asked["url"],
        data=base64.b64decode(asked["body"]),
        headers=dict(asked["headers"]),
    )
    signer = SigV4Auth(Credentials(asked["key"], asked["secret"]), asked["service"], asked["region"])
    request.context["timestamp"] = asked["time"]
    canonical = signer.canonical_request(request)
    signature = signer.signature(signer.string_to_sign(request, canonical), request)
    signed = signer.signed_headers(signer.headers_to_sign(request))
    print(json.dumps({"signature": signature, "signed": signed}), flush=True)

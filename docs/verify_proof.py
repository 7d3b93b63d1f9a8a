#!/usr/bin/env python3
"""Checks a proof of consent, or a hand-out of many, without the hub that made it and with nothing but Python 3.11.

    python verify_proof.py proof.json [--key PUBLIC_KEY_IN_HEX]

Says in words what is proved, and ends with 0; or what does not hold, and ends with 1. Compare the public key with the one that the
business shows on its register page: whoever forges a proof signs it with a key of their own. The format is told in consent.md.
"""

import hashlib
import json
import sys
from datetime import UTC, datetime, timedelta
from uuid import UUID

# Ed25519 as RFC 8032 (5.1) has it, checking only: slow, short, and no package is needed.

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
ROOT = pow(2, (P - 1) // 4, P)


def point(x, y):
    return (x, y, 1, x * y % P)


def unpack(packed):
    """The point that 32 bytes name; None when they name none."""
    y = int.from_bytes(packed, "little")
    sign, y = y >> 255, y & (1 << 255) - 1
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT % P
    if (x * x - square) % P or (not x and sign):
        return None
    return point(P - x if x & 1 != sign else x, y)


def add(one, other):
    a = (one[1] - one[0]) * (other[1] - other[0]) % P
    b = (one[1] + one[0]) * (other[1] + other[0]) % P
    c = 2 * one[3] * other[3] * D % P
    d = 2 * one[2] * other[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def times(number, one):
    result = (0, 1, 1, 0)
    while number:
        if number & 1:
            result = add(result, one)
        one, number = add(one, one), number >> 1
    return result


BASE = unpack((4 * pow(5, -1, P) % P).to_bytes(32, "little"))


def is_signed(public, message, signature):
    key, r, s = unpack(public), unpack(signature[:32]), int.from_bytes(signature[32:], "little")
    if len(signature) != 64 or key is None or r is None or s >= L:
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % L
    left, right = times(s, BASE), add(r, times(h, key))
    return not ((left[0] * right[2] - right[0] * left[2]) % P or (left[1] * right[2] - right[1] * left[2]) % P)


# The proof


class Wrong(Exception):
    """What does not hold."""


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def number(value):
    return value.to_bytes(8, "big", signed=True)


def micros(text):
    return number((datetime.fromisoformat(text) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1))


def check_document(document, key):
    """The signature over the whole document, but for the signature itself."""
    whole = {name: value for name, value in document.items() if name != "signature"}
    text = json.dumps(whole, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    public = bytes.fromhex(document["key"]["public"])
    if key and public != key:
        raise Wrong(f"it is signed with another key: {public.hex()}")
    if not is_signed(public, b"hub proof 1\0" + text, bytes.fromhex(document["signature"])):
        raise Wrong("the signature over the document is not valid")
    return public


def check_entry(entry, organisation, checkpoints):
    """Details to commitment, commitment to hash, hash to the root of a signed checkpoint."""
    name = f"entry {entry['seq']}"
    if sha256(bytes.fromhex(entry["salt"]), entry["details"].encode()) != bytes.fromhex(entry["commitment"]):
        raise Wrong(f"{name}: what it says is not what was committed to")
    said = json.loads(entry["details"])
    if said["kind"] != entry["kind"] or micros(said["at"]) != micros(entry["at"]):
        raise Wrong(f"{name}: kind or time is another one than its details say")
    here = sha256(
        bytes.fromhex(entry["previous_hash"]),
        organisation,
        number(entry["seq"]),
        micros(entry["at"]),
        UUID(entry["subject"]).bytes,
        bytes.fromhex(entry["commitment"]),
        bytes.fromhex(entry["sealed_hash"]),
        entry["kind"].encode(),
    )
    if here != bytes.fromhex(entry["hash"]):
        raise Wrong(f"{name}: its hash is another one")
    node = sha256(b"\0", here)
    for side, neighbour in entry["path"]:
        pair = (bytes.fromhex(neighbour), node) if side == "left" else (node, bytes.fromhex(neighbour))
        node = sha256(b"\1", *pair)
    checkpoint = checkpoints.get(entry["checkpoint"])
    if checkpoint is None or not checkpoint["after_seq"] < entry["seq"] <= checkpoint["seq"]:
        raise Wrong(f"{name}: the checkpoint that covers it is not in the proof")
    if node != bytes.fromhex(checkpoint["root"]):
        raise Wrong(f"{name}: its path does not lead to the signed root")
    return said


def check_checkpoint(one, organisation, public):
    statement = b"hub ledger checkpoint 1\0" + organisation + number(one["after_seq"]) + number(one["seq"]) + micros(one["at"])
    if not is_signed(public, statement + bytes.fromhex(one["head"] + one["root"]), bytes.fromhex(one["signature"])):
        raise Wrong(f"the signature of checkpoint {one['seq']} is not valid")


def check_proof(document, key):
    """Everything about one person; what is proved, in lines."""
    public = check_document(document, key)
    organisation = UUID(document["organisation"]["id"]).bytes
    checkpoints = {one["seq"]: one for one in document["checkpoints"]}
    for one in checkpoints.values():
        check_checkpoint(one, organisation, public)
    addresses = {(one["messenger"], one["scope"], one["address"]) for one in document["person"]["addresses"]}
    lines = [f"{document['organisation']['name']} about {document['person']['name'] or 'a person'}, as of {document['made_at']}"]
    lines += [f"  address {one['address']} on {one['messenger']}" for one in document["person"]["addresses"]]
    for entry in document["entries"]:
        said = check_entry(entry, organisation, checkpoints)
        if (said["messenger"], said["scope"], said["address"]) not in addresses:
            raise Wrong(f"entry {entry['seq']}: it speaks of another address than the proof")
        purpose = document["purposes"].get(said.get("purpose"), {}).get("key", "")
        lines.append(
            f"  entry {entry['seq']}, {said['at']}: {said['kind']} {purpose}".rstrip() + f" ({said['messenger']} {said['address']})"
        )
        lines += [f"      {name}: {value}" for name, value in sorted(said["evidence"].items())]
        text, text_hash = said["evidence"].get("text"), said["evidence"].get("text_hash")
        if text and text_hash and hashlib.sha256(text.encode()).hexdigest() != text_hash:
            raise Wrong(f"entry {entry['seq']}: the text is not the one that its hash names")
        lines.append(f"      written by {checkpoints[entry['checkpoint']]['at']}, when checkpoint {entry['checkpoint']} was signed")
    for one in document["state"]:
        for state in one["purposes"]:
            name = document["purposes"][state["purpose"]]["key"]
            lines.append(f"  {name} on {one['messenger']} {one['address']}: {state['state']} since {state['since'] or 'ever'}")
    return lines


def check(document, key=None):
    """A proof, or a hand-out with many; what is proved, in lines. Raises Wrong."""
    if document.get("format") == "hub-proof-1":
        return check_proof(document, key)
    if document.get("format") != "hub-hand-out-1":
        raise Wrong("this is no proof that this script knows")
    public = check_document(document, key)
    lines = [f"Handed out to {document['to']} for: {document['purpose']}, at {document['made_at']}"]
    for one in document["proofs"]:
        lines += check_proof(one, public)
    return lines + [f"Nothing on record: {asked}" for asked in document["missing"]]


def main(arguments):
    if not arguments or len(arguments) not in (1, 3) or (len(arguments) == 3 and arguments[1] != "--key"):
        print(__doc__)
        return 2
    with open(arguments[0], encoding="utf-8") as file:
        document = json.load(file)
    try:
        lines = check(document, bytes.fromhex(arguments[2]) if len(arguments) == 3 else None)
    except (Wrong, KeyError, TypeError, ValueError) as error:
        print(f"NOT PROVED: {error}")
        return 1
    print("\n".join(lines))
    print(f"PROVED, if this is the public key of the business: {document['key']['public']}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

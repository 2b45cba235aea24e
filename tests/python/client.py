"""An agent and an operator that nobody here wrote: gRPC's own Python, with code generated from the .proto files.

It enrols as a node, streams a small report and a heartbeat, then asks as an operator for the status, the health and the
list of services. It prints one line of JSON: what it saw.
"""

import argparse
import base64
import hashlib
import json
import os
import queue
import secrets
import ssl
import sys
import tempfile
import time

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from grpc_tools import protoc

SERVER_NAME = "collector.quorate.internal"
DEADLINE_S = 60


def generate(protos, out):
    """Makes Python of the .proto files."""
    files = [
        os.path.join(folder, name)
        for folder, _, names in os.walk(protos)
        for name in names
        if name.endswith(".proto")
    ]
    done = protoc.main(["protoc", f"-I{protos}", f"--python_out={out}", f"--grpc_python_out={out}", *files])
    if done != 0:
        sys.exit(f"protoc failed: {done}")
    sys.path.insert(0, out)


def channel(address, trust, key=None, chain=None):
    credentials = grpc.ssl_channel_credentials(root_certificates=trust, private_key=key, certificate_chain=chain)
    # A collector is known by a fixed name, wherever it runs.
    return grpc.secure_channel(address, credentials, [("grpc.ssl_target_name_override", SERVER_NAME)])


def pem(der):
    return x509.load_der_x509_certificate(der).public_bytes(serialization.Encoding.PEM)


def trust_of_token(address, token):
    """The CA that the token speaks of, as the collector shows it behind its own certificate."""
    prefix = "quorate1_"
    assert token.startswith(prefix), "not a token"
    text = token[len(prefix) :]
    wanted = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))[:32]
    host, port = address.rsplit(":", 1)
    context = ssl.create_default_context()
    # Nothing is trusted here, and nothing secret is said: only the CA with the right fingerprint is taken along.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.set_alpn_protocols(["h2"])
    import socket

    with socket.create_connection((host, int(port)), timeout=DEADLINE_S) as tcp:
        with context.wrap_socket(tcp, server_hostname=SERVER_NAME) as tls:
            shown = unverified_chain(tls)
    for der in shown:
        if hashlib.sha256(der).digest() == wanted:
            return pem(der)
    sys.exit("the collector does not show the CA of the token")


def unverified_chain(tls):
    if hasattr(tls, "get_unverified_chain"):
        return tls.get_unverified_chain()
    # Python 3.11 and 3.12 have it one layer below.
    import _ssl

    return [shown.public_bytes(_ssl.ENCODING_DER) for shown in tls._sslobj.get_unverified_chain()]


def enrol(args, pb):
    key = ec.generate_private_key(ec.SECP256R1())
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    with channel(args.enrolment, trust_of_token(args.enrolment, args.token)) as open_channel:
        answer = pb.enrolment_grpc.EnrolmentStub(open_channel).Enrol(
            pb.enrolment.EnrolRequest(
                token=args.token,
                cluster=pb.identity.Cluster(id=args.cluster, name="python"),
                node=args.node,
                certificate_request=request.public_bytes(serialization.Encoding.DER),
                nodelist=[args.node],
                agent=pb.identity.Software(version=args.version),
            ),
            timeout=DEADLINE_S,
        )
    key = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    chain = b"".join(pem(der) for der in answer.credentials.chain)
    trust = b"".join(pem(der) for der in answer.credentials.trust)
    return list(answer.addresses), key, chain, trust


def boottime_ms():
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


def message(pb, **said):
    return pb.fleet.AgentMessage(boottime_ms=boottime_ms(), **said)


def stream(args, pb, address, key, chain, trust, ask):
    """Opens the stream, tells a report and an event, and calls `ask` while it is open."""
    outgoing = queue.Queue()
    spool = secrets.token_bytes(16)
    hello = pb.fleet.Hello(
        cluster=pb.identity.Cluster(id=args.cluster, name="python"),
        node=args.node,
        agent=pb.identity.Software(version=args.version, capabilities=["written-elsewhere"]),
        boot_id="8f0f6d2e-53a9-4bb0-9d1c-2f1f3a1f6a10",
        spool_id=spool,
        spool_first=1,
        spool_next=2,
        instance=secrets.token_bytes(16),
    )
    fact = pb.fact.Fact(
        family=pb.fact.FAMILY_LLDP,
        read_at_boottime_ms=boottime_ms(),
        known=pb.fact.Known(json="[]", at_unix_ms=time.time_ns() // 1_000_000),
    )
    seen = {}
    with channel(address, trust, key, chain) as open_channel:
        answers = pb.fleet_grpc.FleetStub(open_channel).Stream(iter(outgoing.get, None), timeout=DEADLINE_S)
        outgoing.put(message(pb, hello=hello))
        for answer in answers:
            kind = answer.WhichOneof("message")
            if kind == "welcome":
                seen["welcome"] = {
                    "heartbeat_ms": answer.welcome.heartbeat_ms,
                    "is_authority": answer.welcome.is_authority,
                }
                outgoing.put(message(pb, report=pb.fleet.Report(revision=1, facts=[fact])))
                heartbeat = pb.fleet.Heartbeat(number=1, unix_ms=time.time_ns() // 1_000_000, revision=1)
                outgoing.put(message(pb, heartbeat=heartbeat))
                event = pb.fleet.Event(number=1, passed=pb.fact.Absent())
                outgoing.put(message(pb, events=pb.fleet.Events(spool_id=spool, events=[event])))
            elif kind == "heartbeat_answer":
                seen["heartbeat_answered"] = answer.heartbeat_answer.number
            elif kind == "events_kept":
                seen["events_kept"] = answer.events_kept.up_to
            if {"welcome", "heartbeat_answered", "events_kept"} <= seen.keys():
                break
        seen.update(ask())
        outgoing.put(None)
    return seen


def query(args, pb):
    with open(args.operator, encoding="utf-8") as file:
        operator = json.load(file)
    trust, key, chain = (operator[field].encode() for field in ("trust_pem", "key_pem", "certificate_pem"))
    with channel(operator["addresses"][0], trust, key, chain) as open_channel:
        status = pb.query_grpc.QueryStub(open_channel).GetStatus(pb.query.GetStatusRequest(), timeout=DEADLINE_S)
        health = health_pb2_grpc.HealthStub(open_channel).Check(
            health_pb2.HealthCheckRequest(service=""), timeout=DEADLINE_S
        )
        services = ProtoReflectionDescriptorDatabase(open_channel).get_services()
    nodes = [
        {"cluster": cluster.cluster.id, "node": node.node, "standing": pb.query.Standing.Name(node.standing)}
        for cluster in status.clusters
        for node in cluster.nodes
    ]
    return {
        "nodes": nodes,
        "health": health_pb2.HealthCheckResponse.ServingStatus.Name(health.status),
        "services": sorted(services),
    }


class Generated:
    """The generated modules, once they are made."""

    def __init__(self):
        from quorate.v1 import enrolment_pb2, enrolment_pb2_grpc, fact_pb2, fleet_pb2, fleet_pb2_grpc
        from quorate.v1 import identity_pb2, query_pb2, query_pb2_grpc

        self.enrolment, self.enrolment_grpc = enrolment_pb2, enrolment_pb2_grpc
        self.fact, self.identity = fact_pb2, identity_pb2
        self.fleet, self.fleet_grpc = fleet_pb2, fleet_pb2_grpc
        self.query, self.query_grpc = query_pb2, query_pb2_grpc


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--protos", required=True, help="the folder that holds quorate/v1/*.proto")
    parser.add_argument("--enrolment", required=True, help="HOST:PORT of the enrolment listener")
    parser.add_argument("--token", required=True)
    parser.add_argument("--operator", required=True, help="an operator's file")
    parser.add_argument("--cluster", default="0b9d3a52-6a36-4d0a-9f3c-0c6f7f1e2d3c")
    parser.add_argument("--node", default="pve-01")
    parser.add_argument("--version", default="0.1.0", help="the version that it says it has")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as out:
        generate(args.protos, out)
        pb = Generated()
        addresses, key, chain, trust = enrol(args, pb)
        seen = stream(args, pb, addresses[0], key, chain, trust, lambda: query(args, pb))
    print(json.dumps(seen))


main()

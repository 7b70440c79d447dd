"""TLS you can hold in your hand: real handshakes in memory, and whoever holds the pipe.

    from kmscourse import tls

    ca = tls.CertificateAuthority("Clinic CA")
    server = tls.Server(ca.issue("records.clinic.example"))
    client = tls.Client("records.clinic.example", trust=ca)

    talk = tls.converse(client=client, server=server, request=b"GET /patients/7",
                        response=b"10 mg", pipe=tls.Eavesdropper())
    print(talk.capture)                # every record, as anyone on the way sees it
    print(talk.capture.open(talk.keylog))   # the same records, opened with the client's secrets

The handshakes are made by Python's own `ssl`; the names are those of RFC 8446 (TLS 1.3) and
RFC 5246 (TLS 1.2). This package knows nothing of the course and imports nothing of it.
"""

from kmscourse.tls.capture import Capture, Flight
from kmscourse.tls.certificates import Certificate, CertificateAuthority, self_signed
from kmscourse.tls.conversation import (
    Conversation,
    PlainConversation,
    Sighting,
    converse,
    converse_in_the_clear,
)
from kmscourse.tls.endpoints import Client, Server
from kmscourse.tls.fields import (
    CLIENT,
    EAVESDROPPER,
    INTERCEPTOR,
    SEATS,
    SERVER,
    Field,
    ParseError,
)
from kmscourse.tls.keylog import KeyLog
from kmscourse.tls.keyschedule import (
    KeySchedule,
    TrafficKeys,
    derive_secret,
    finished_verify_data,
    hkdf_expand_label,
    hkdf_extract,
    next_traffic_secret,
    prf,
    tls12_traffic_keys,
    transcript_hash,
)
from kmscourse.tls.leg import Alert, Leg, Side
from kmscourse.tls.local import PostQuantum, local_client_hello, post_quantum
from kmscourse.tls.messages import ClientHello, Message, ServerHello, parse_message
from kmscourse.tls.names import CIPHER_SUITES, CipherSuite
from kmscourse.tls.opening import OpenedRecord, Opening, SealedRecord
from kmscourse.tls.pipes import Alteration, Eavesdropper, Interceptor, Nobody, Pipe, Tamperer
from kmscourse.tls.records import RawRecord, Record, split_records
from kmscourse.tls.refusals import Failure

__all__ = [
    "CIPHER_SUITES",
    "CLIENT",
    "EAVESDROPPER",
    "INTERCEPTOR",
    "SEATS",
    "SERVER",
    "Alert",
    "Alteration",
    "Capture",
    "Certificate",
    "CertificateAuthority",
    "CipherSuite",
    "Client",
    "ClientHello",
    "Conversation",
    "Eavesdropper",
    "Failure",
    "Field",
    "Flight",
    "Interceptor",
    "KeyLog",
    "KeySchedule",
    "Leg",
    "Message",
    "Nobody",
    "OpenedRecord",
    "Opening",
    "ParseError",
    "Pipe",
    "PlainConversation",
    "PostQuantum",
    "RawRecord",
    "Record",
    "SealedRecord",
    "Server",
    "ServerHello",
    "Side",
    "Sighting",
    "Tamperer",
    "TrafficKeys",
    "converse",
    "converse_in_the_clear",
    "derive_secret",
    "finished_verify_data",
    "hkdf_expand_label",
    "hkdf_extract",
    "local_client_hello",
    "next_traffic_secret",
    "parse_message",
    "post_quantum",
    "prf",
    "self_signed",
    "split_records",
    "tls12_traffic_keys",
    "transcript_hash",
]

"""The package stands on the ground, and needs no sockets, threads or processes."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys

def forbid(event, args):
    if event.startswith(("socket.", "subprocess.", "os.fork", "os.posix_spawn", "_thread.start")):
        raise SystemExit(f"{event}{args} is not allowed here")

from kmscourse import tls
sys.addaudithook(forbid)
ca = tls.CertificateAuthority("Clinic CA")
server = tls.Server(ca.issue("a.example"), client_ca=ca)
client = tls.Client("a.example", trust=ca, certificate=ca.issue("b", for_client=True))
for pipe in (tls.Nobody(), tls.Eavesdropper(), tls.Tamperer(), tls.Interceptor()):
    str(tls.converse(client=client, server=server, request=b"x", response=b"y", pipe=pipe))
ours = sorted(name for name in sys.modules if name.startswith("kmscourse."))
print(*(name for name in ours if not name.startswith("kmscourse.tls")))
"""


def test_it_imports_nothing_of_ours_and_opens_nothing() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.strip() == ""

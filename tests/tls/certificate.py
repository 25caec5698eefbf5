# SPDX-License-Identifier: LGPL-3.0-or-later
# certificate.py -- prints the SHA-256 of the certificate that the server shows
import hashlib

from clients import client_of, connection

wire = connection(client_of("openssl"))
print(hashlib.sha256(wire.socket.tls.getpeercert(binary_form=True)).hexdigest())
wire.close()

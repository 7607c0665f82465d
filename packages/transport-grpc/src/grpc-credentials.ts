import { createPrivateKey } from "node:crypto";
import { createSecureContext } from "node:tls";
import { type ChannelCredentials, credentials, ServerCredentials } from "@grpc/grpc-js";
import { ParsecError } from "@parsec/core";
import type { PeerTlsOptions } from "@parsec/core/transport";

/** Credentials for connections to a peer: this node's certificate and the trusted authorities. */
export function channelCredentials(
  tls: PeerTlsOptions | undefined,
  secure: boolean,
): ChannelCredentials {
  if (!secure) return credentials.createInsecure();
  const { ca, cert, key, passphrase } = tls ?? {};
  return credentials.createFromSecureContext(
    createSecureContext({
      ...(ca === undefined ? {} : { ca: ca as string | Buffer | (string | Buffer)[] }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
      ...(passphrase === undefined ? {} : { passphrase }),
      minVersion: "TLSv1.2",
    }),
  );
}

/** Credentials of this node's server. Throws `INVALID_ARGUMENT` when TLS is on and the certificate is missing. */
export function serverCredentials(
  tls: PeerTlsOptions | undefined,
  options: { readonly secure: boolean; readonly requireClientCertificate: boolean },
): ServerCredentials {
  if (!options.secure) return ServerCredentials.createInsecure();
  const { ca, cert, key, passphrase } = tls ?? {};
  if (cert === undefined || key === undefined) {
    const message = "tls.cert and tls.key must be given when selfUrl is encrypted (grpcs:)";
    throw new ParsecError("INVALID_ARGUMENT", message);
  }
  return ServerCredentials.createSsl(
    ca === undefined ? null : joined(ca),
    [{ private_key: decrypted(key, passphrase), cert_chain: Buffer.from(cert) }],
    options.requireClientCertificate,
  );
}

function joined(ca: string | Buffer | readonly (string | Buffer)[]): Buffer {
  const certificates = Array.isArray(ca) ? (ca as readonly (string | Buffer)[]) : [ca as string];
  return Buffer.from(certificates.map((one) => one.toString()).join("\n"));
}

/** Decrypts the key, because gRPC's server does not support passphrases. */
function decrypted(key: string | Buffer, passphrase: string | undefined): Buffer {
  if (passphrase === undefined) return Buffer.from(key);
  return Buffer.from(
    createPrivateKey({ key, passphrase }).export({ type: "pkcs8", format: "pem" }),
  );
}

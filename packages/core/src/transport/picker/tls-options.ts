import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { createSecureContext } from "node:tls";
import type { ParsecError } from "../../errors.ts";
import { describe, invalidArgument, knownOptions } from "../../option-checks.ts";
import type { NodeBuffer } from "../wire/node-buffer.ts";

/** TLS settings, for connections to peers and from them. Certificates and keys are PEM. */
export interface PeerTlsOptions {
  /** Trusted certificate authorities. Defaults to those that Node trusts. */
  readonly ca?: string | NodeBuffer | readonly (string | NodeBuffer)[];
  /** The certificate that this node presents. Needs `key`. Peers must then present one, too. */
  readonly cert?: string | NodeBuffer;
  /** The private key of `cert`. */
  readonly key?: string | NodeBuffer;
  /** Decrypts `key`. */
  readonly passphrase?: string;
  /** Whether a peer must present a client certificate. Defaults to true when `cert` is given. */
  readonly requireClientCertificate?: boolean;
  /** The name that a peer's certificate must be for. Defaults to the host of the peer's URL. */
  readonly serverName?: string;
}

/** Checks the form of TLS settings. Throws `INVALID_ARGUMENT` naming the field, without its content. */
export function checkTls(tls: PeerTlsOptions | undefined): PeerTlsOptions | undefined {
  if (tls === undefined) return undefined;
  if (typeof tls !== "object" || tls === null) {
    throw invalidArgument(`tls must be an object with ca, cert and key, got ${describe(tls)}`);
  }
  knownOptions("tls", tls, {
    ca: 1,
    cert: 1,
    key: 1,
    passphrase: 1,
    requireClientCertificate: 1,
    serverName: 1,
  });
  const { cert, key, serverName, requireClientCertificate } = tls;
  if ((cert === undefined) !== (key === undefined)) {
    throw invalidArgument("tls.cert and tls.key must be given together");
  }
  if (serverName !== undefined && (typeof serverName !== "string" || serverName === "")) {
    throw invalidArgument(`tls.serverName must be a non-empty string, got ${describe(serverName)}`);
  }
  if (requireClientCertificate !== undefined && typeof requireClientCertificate !== "boolean") {
    const got = describe(requireClientCertificate);
    throw invalidArgument(`tls.requireClientCertificate must be true or false, got ${got}`);
  }
  return tls;
}

/** Checks the content of certificates and keys, so that a mistake fails at start and not in each request. Throws `INVALID_ARGUMENT` naming the field, without its content. */
export function checkCertificates(tls: PeerTlsOptions): void {
  const { ca, cert, key, passphrase } = tls;
  if (ca !== undefined) checkAuthorities(ca);
  if (cert !== undefined && key !== undefined) checkPair({ cert, key, passphrase });
}

function checkAuthorities(ca: NonNullable<PeerTlsOptions["ca"]>): void {
  if (!Array.isArray(ca)) {
    parseCertificate("tls.ca", ca as string);
    return;
  }
  if (ca.length === 0) throw invalidArgument("tls.ca must have at least one certificate");
  // A TLS context ignores authorities that it cannot read.
  for (const [index, one] of ca.entries()) parseCertificate(`tls.ca[${index}]`, one);
}

function checkPair(pair: {
  readonly cert: string | NodeBuffer;
  readonly key: string | NodeBuffer;
  readonly passphrase: string | undefined;
}): void {
  const { cert, key, passphrase } = pair;
  const certificate = parseCertificate("tls.cert", cert);
  if (!certificate.checkPrivateKey(parseKey(key, passphrase))) {
    throw invalidArgument("tls.key must be the private key of tls.cert, got that of another");
  }
  const decrypted = passphrase === undefined ? {} : { passphrase };
  try {
    createSecureContext({ cert, key, ...decrypted });
  } catch (error) {
    throw unreadable("tls.cert and tls.key", error);
  }
}

function parseCertificate(field: string, pem: string | NodeBuffer): X509Certificate {
  checkPem(field, pem);
  try {
    return new X509Certificate(pem);
  } catch (error) {
    throw unreadable(field, error);
  }
}

function parseKey(pem: string | NodeBuffer, passphrase: string | undefined): KeyObject {
  checkPem("tls.key", pem);
  if (passphrase !== undefined && typeof passphrase !== "string") {
    throw invalidArgument("tls.passphrase must be a string");
  }
  const decrypted = passphrase === undefined ? {} : { passphrase };
  try {
    return createPrivateKey({ key: pem as string, ...decrypted });
  } catch (error) {
    throw unreadable("tls.key (with tls.passphrase)", error);
  }
}

function checkPem(field: string, pem: unknown): void {
  if (typeof pem === "string" || pem instanceof Uint8Array) return;
  const got = Array.isArray(pem) ? "an array" : typeof pem;
  throw invalidArgument(`${field} must be PEM, as a string or a Buffer, got ${got}`);
}

/** OpenSSL's code names the cause and contains nothing of the file. */
function unreadable(field: string, error: unknown): ParsecError {
  const { code } = error as { readonly code?: unknown };
  const reason = typeof code === "string" ? code : "another format";
  return invalidArgument(`${field} must be valid PEM, got ${reason}`);
}

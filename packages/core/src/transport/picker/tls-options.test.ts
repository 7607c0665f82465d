import { generateKeyPairSync } from "node:crypto";
import { describe, expect, it } from "vitest";
import { checkCertificates, checkTls, type PeerTlsOptions } from "./tls-options.ts";

const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const strangeKey = privateKey.export({ type: "pkcs8", format: "pem" }) as string;
const lockedKey = privateKey.export({
  type: "pkcs8",
  format: "pem",
  cipher: "aes-256-cbc",
  passphrase: "hunter2 opens it",
}) as string;
/** A self-signed certificate and its key, made by `openssl req -x509 -newkey ec`. */
const cert = `-----BEGIN CERTIFICATE-----
MIIBdDCCARugAwIBAgIUE56RRPqzYnCUBqI0VZnR7yfm2QgwCgYIKoZIzj0EAwIw
DzENMAsGA1UEAwwEbm9kZTAgFw0yNjExMzAxNTMwMzJaGA8yMTI2MTEwNjE1MzAz
MlowDzENMAsGA1UEAwwEbm9kZTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABKDg
rdHc6U/rmv6L2ig+7fKq+W8ewSOeoea2c7hdU1CC6FP2PbygRWW7QwwUF3HuPJVY
A/0gb1KDDE02PaF26lijUzBRMB0GA1UdDgQWBBSkphocJFaOXkc79ZngWHPEXLUU
nzAfBgNVHSMEGDAWgBSkphocJFaOXkc79ZngWHPEXLUUnzAPBgNVHRMBAf8EBTAD
AQH/MAoGCCqGSM49BAMCA0cAMEQCIFE8vMbjEiNqXZ0BXWTTIgrOQeR62XvQ0U3P
V7eb31ApAiBYms/4qzrCVHb1CQqGqnyf2iqrGUlxSknvN77jsbHX7Q==
-----END CERTIFICATE-----
`;
const key = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgNfJQvzD0ZoNKa9Im
2P84IhRR/fUFVfWdXB2vrE/ilJqhRANCAASg4K3R3OlP65r+i9ooPu3yqvlvHsEj
nqHmtnO4XVNQguhT9j28oEVlu0MMFBdx7jyVWAP9IG9SgwxNNj2hdupY
-----END PRIVATE KEY-----
`;

function outcomeOf(tls: unknown): string {
  try {
    const checked = checkTls(tls as PeerTlsOptions);
    if (checked !== undefined) checkCertificates(checked);
    return "accepted";
  } catch (error) {
    expect(error).toMatchObject({ code: "INVALID_ARGUMENT" });
    return (error as Error).message;
  }
}

describe("tls", () => {
  it.each([
    [{ ca: cert }],
    [{ ca: [cert, Buffer.from(cert)] }],
    [{ ca: `${cert}${cert}` }],
    [{ cert, key }],
    [{ cert: Buffer.from(cert), key: Buffer.from(key), ca: cert }],
    [{}],
    [undefined],
  ])("is accepted (%#)", (tls) => {
    expect(outcomeOf(tls)).toBe("accepted");
  });

  it.each([
    ["no PEM as certificate", { cert: "x", key: "y" }, /^tls\.cert must be valid PEM/],
    ["no PEM as key", { cert, key: "y" }, /^tls\.key .*must be valid PEM/],
    [
      "the key of another certificate",
      { cert, key: strangeKey },
      /^tls\.key must be the private key of tls\.cert/,
    ],
    ["a certificate as key", { cert, key: cert }, /^tls\.key .*must be valid PEM/],
    [
      "an encrypted key without passphrase",
      { cert, key: lockedKey },
      /^tls\.key \(with tls\.passphrase\)/,
    ],
    [
      "a wrong passphrase",
      { cert, key: lockedKey, passphrase: "swordfish" },
      /^tls\.key \(with tls\.passphrase\)/,
    ],
    [
      "a passphrase that is not text",
      { cert, key, passphrase: 5 },
      /^tls\.passphrase must be a string/,
    ],
    ["garbage as authority", { ca: "garbage" }, /^tls\.ca must be valid PEM/],
    ["garbage among the authorities", { ca: [cert, "garbage"] }, /^tls\.ca\[1\] must be valid PEM/],
    ["a hole among the authorities", { ca: new Array(1) }, /^tls\.ca\[0\] must be PEM/],
    ["no authorities", { ca: [] }, /^tls\.ca must have at least one/],
    [
      "a number as authority",
      { ca: 5 },
      /^tls\.ca must be PEM, as a string or a Buffer, got number/,
    ],
    ["a certificate without key", { cert }, /^tls\.cert and tls\.key must be given together/],
    [
      "a flag that is not one",
      { cert, key, requireClientCertificate: "no" },
      /^tls\.requireClientCertificate must be true or false/,
    ],
  ])("is refused with %s", (_case, tls, message) => {
    const text = outcomeOf(tls);
    expect(text).toMatch(message);
    expect(text).not.toMatch(/hunter2|swordfish|garbage|BEGIN|MI[EG]/);
  });
});

import { generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";

/** A certificate and its key, as PEM. */
export interface TestCertificate {
  readonly cert: string;
  readonly key: string;
}

/** A certificate authority for one test. */
export interface TestAuthority {
  readonly ca: string;
  /** A certificate for `localhost` and 127.0.0.1, good for servers and clients, for one day. */
  issue(name: string): TestCertificate;
}

// The part of DER (X.690) that a certificate needs.
function der(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(contents);
  const { length } = content;
  const bytes: number[] = [];
  for (let rest = length; rest > 0; rest >>= 8) bytes.unshift(rest & 0xff);
  const head = length < 0x80 ? [tag, length] : [tag, 0x80 | bytes.length, ...bytes];
  return Buffer.concat([Buffer.from(head), content]);
}

const sequence = (...parts: readonly Uint8Array[]): Buffer => der(0x30, ...parts);
const set = (...parts: readonly Uint8Array[]): Buffer => der(0x31, ...parts);
const objectId = (hex: string): Buffer => der(0x06, Buffer.from(hex, "hex"));
const octets = (content: Uint8Array): Buffer => der(0x04, content);
const yes = der(0x01, Buffer.from([0xff]));

const ecdsaWithSha256 = sequence(objectId("2a8648ce3d040302"));
const commonName = objectId("550403");
const basicConstraints = objectId("551d13");
const alternativeNames = objectId("551d11");

const nameOf = (text: string): Buffer =>
  sequence(set(sequence(commonName, der(0x0c, Buffer.from(text)))));
const timeOf = (date: Date): Buffer => {
  const text = date.toISOString().replace(/[-:T]|\.\d+/g, "");
  return der(0x18, Buffer.from(text));
};

function certificate(parts: {
  readonly subject: string;
  readonly issuer: string;
  readonly subjectKey: KeyObject;
  readonly issuerKey: KeyObject;
  readonly extensions: readonly Uint8Array[];
}): string {
  const hourMs = 3_600_000;
  const toBeSigned = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    ecdsaWithSha256,
    nameOf(parts.issuer),
    sequence(timeOf(new Date(Date.now() - hourMs)), timeOf(new Date(Date.now() + 24 * hourMs))),
    nameOf(parts.subject),
    parts.subjectKey.export({ type: "spki", format: "der" }),
    der(0xa3, sequence(...parts.extensions)),
  );
  const signature = sign("sha256", toBeSigned, { key: parts.issuerKey, dsaEncoding: "der" });
  const whole = sequence(
    toBeSigned,
    ecdsaWithSha256,
    der(0x03, Buffer.concat([Buffer.from([0]), signature])),
  );
  const lines = whole.toString("base64").replace(/.{64}/g, "$&\n");
  return `-----BEGIN CERTIFICATE-----\n${lines.trimEnd()}\n-----END CERTIFICATE-----\n`;
}

export function createAuthority(name: string): TestAuthority {
  const authority = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const ca = certificate({
    subject: name,
    issuer: name,
    subjectKey: authority.publicKey,
    issuerKey: authority.privateKey,
    extensions: [sequence(basicConstraints, yes, octets(sequence(yes)))],
  });
  return {
    ca,
    issue(subject) {
      const pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
      const names = sequence(
        der(0x82, Buffer.from("localhost")),
        der(0x87, Buffer.from([127, 0, 0, 1])),
      );
      const cert = certificate({
        subject,
        issuer: name,
        subjectKey: pair.publicKey,
        issuerKey: authority.privateKey,
        extensions: [sequence(alternativeNames, octets(names))],
      });
      const key = pair.privateKey.export({ type: "pkcs8", format: "pem" }).toString();
      return { cert, key };
    },
  };
}

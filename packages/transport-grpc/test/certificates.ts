import { generate } from "selfsigned";

/** A certificate and its key, as PEM. */
export interface TestCertificate {
  readonly cert: string;
  readonly key: string;
}

/** A certificate authority for one test. */
export interface TestAuthority {
  readonly ca: string;
  /** A certificate for `localhost`, 127.0.0.1 and `name`, good for servers and clients, for one day. */
  issue(name: string): Promise<TestCertificate>;
}

const dayMs = 86_400_000;

function validity() {
  const now = Date.now();
  return { notBeforeDate: new Date(now - dayMs), notAfterDate: new Date(now + dayMs) };
}

export async function createAuthority(name: string): Promise<TestAuthority> {
  const common = { keyType: "ec", curve: "P-256", algorithm: "sha256" } as const;
  const authority = await generate([{ name: "commonName", value: name }], {
    ...common,
    ...validity(),
    extensions: [
      { name: "basicConstraints", cA: true, critical: true },
      { name: "keyUsage", keyCertSign: true, digitalSignature: true, critical: true },
    ],
  });
  return {
    ca: authority.cert,
    async issue(subject) {
      const issued = await generate([{ name: "commonName", value: subject }], {
        ...common,
        ...validity(),
        ca: { key: authority.private, cert: authority.cert },
        extensions: [
          { name: "basicConstraints", cA: false },
          { name: "extKeyUsage", serverAuth: true, clientAuth: true },
          {
            name: "subjectAltName",
            altNames: [
              { type: 2, value: "localhost" },
              { type: 2, value: subject },
              { type: 7, ip: "127.0.0.1" },
            ],
          },
        ],
      });
      return { cert: issued.cert, key: issued.private };
    },
  };
}

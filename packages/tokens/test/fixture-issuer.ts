import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import {
  type CryptoKey,
  exportJWK,
  generateKeyPair,
  type JWK,
  type JWTPayload,
  SignJWT,
} from "jose";

/** An identity provider on loopback with scripted responses. */
export interface FixtureIssuer {
  readonly issuer: string;
  /** Number of requests for the key set. */
  jwksRequests(): number;
  /** The response to the next requests for the key set; a number is a status without keys. */
  answerJwksWith(answer: unknown): void;
  /** Replaces the key; `publish: false` keeps the old key set published. */
  rotate(options?: { readonly publish?: boolean }): Promise<void>;
  /** The key set with the current key. */
  jwks(): { readonly keys: readonly JWK[] };
  /** Signs claims, merged with defaults; undefined removes a default. */
  mint(claims?: JWTPayload, header?: Partial<{ alg: string; kid: string }>): Promise<string>;
  close(): Promise<void>;
}

export const fixtureAudience = "parsec";

interface FixtureKey {
  readonly privateKey: CryptoKey;
  readonly jwk: JWK;
}

export async function startFixtureIssuer(
  options: { readonly alg?: string; readonly withKid?: boolean; readonly withAlg?: boolean } = {},
): Promise<FixtureIssuer> {
  const alg = options.alg ?? "ES256";
  let count = 0;
  let made = 0;
  const makeKey = async (): Promise<FixtureKey> => {
    const pair = await generateKeyPair(alg, { extractable: true });
    made += 1;
    const jwk: JWK = { ...(await exportJWK(pair.publicKey)), use: "sig" };
    if (options.withKid ?? true) jwk.kid = `key-${made}`;
    if (options.withAlg ?? true) jwk.alg = alg;
    return { privateKey: pair.privateKey, jwk };
  };
  let key = await makeKey();
  let answer: unknown = { keys: [key.jwk] };

  const server = createServer((_request, response) => {
    count += 1;
    response.statusCode = typeof answer === "number" ? answer : 200;
    response.end(typeof answer === "string" ? answer : JSON.stringify(answer));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  return {
    issuer,
    jwksRequests: () => count,
    answerJwksWith(next) {
      answer = next;
    },
    async rotate({ publish = true } = {}) {
      key = await makeKey();
      if (publish) answer = { keys: [key.jwk] };
    },
    jwks: () => ({ keys: [key.jwk] }),
    mint(claims = {}, header = {}) {
      const nowSeconds = Math.floor(Date.now() / 1000);
      const payload = {
        iss: issuer,
        sub: "alice",
        aud: fixtureAudience,
        iat: nowSeconds,
        exp: nowSeconds + 3_600,
        ...claims,
      };
      const { kid } = key.jwk;
      return new SignJWT(JSON.parse(JSON.stringify(payload)) as JWTPayload)
        .setProtectedHeader({ alg, ...(kid === undefined ? {} : { kid }), ...header })
        .sign(key.privateKey);
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

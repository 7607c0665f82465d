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
  /** The paths of all requests, in their order. */
  readonly paths: readonly string[];
  /** The response to requests for a path, instead of the key set; a number is a status, a function handles the request. */
  answerPathWith(path: string, answer: unknown): void;
  /** The response to the next requests for the key set; a number is a status without keys. */
  answerJwksWith(answer: unknown): void;
  /** Replaces the key; `publish: false` keeps the old key set published, `kid` sets the new key's id. */
  rotate(options?: { readonly publish?: boolean; readonly kid?: string }): Promise<void>;
  /** The key set with the current key. */
  jwks(): { readonly keys: readonly JWK[] };
  /** Signs claims, merged with defaults; undefined removes a default. */
  mint(claims?: JWTPayload, header?: FixtureHeader): Promise<string>;
  close(): Promise<void>;
}

/** Members of a token's header that a test sets. */
export type FixtureHeader = Partial<{ alg: string; kid: string; typ: string }>;

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

  const paths: string[] = [];
  const others = new Map<string, unknown>([
    ["/.well-known/openid-configuration", 404],
    ["/.well-known/oauth-authorization-server", 404],
  ]);

  const server = createServer((request, response) => {
    const path = request.url ?? "/";
    paths.push(path);
    const chosen = others.has(path) ? others.get(path) : answer;
    if (!others.has(path)) count += 1;
    if (typeof chosen === "function") return void chosen(request, response);
    response.statusCode = typeof chosen === "number" ? chosen : 200;
    response.end(typeof chosen === "string" ? chosen : JSON.stringify(chosen));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  return {
    issuer,
    jwksRequests: () => count,
    paths,
    answerPathWith(path, given) {
      others.set(path, given);
    },
    answerJwksWith(next) {
      answer = next;
    },
    async rotate({ publish = true, kid } = {}) {
      key = await makeKey();
      if (kid !== undefined) key.jwk.kid = kid;
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

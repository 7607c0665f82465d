import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { JWTPayload } from "jose";
import { createTokenService, type TokenService } from "../src/exchange/token-service.ts";
import type { TokenServiceOptions } from "../src/exchange/token-service-options.ts";
import type { ExchangeEvent } from "../src/http/token-endpoint.ts";
import { createTokenHandler, type TokenHandlerOptions } from "../src/http/token-handler.ts";
import { createDerivedKeySource } from "../src/keys/derived-key-source.ts";
import { createTrustStore } from "../src/trust/trust-store.ts";
import { type FixtureIssuer, fixtureAudience, startFixtureIssuer } from "./fixture-issuer.ts";

/** A token service on loopback, with an identity provider that it trusts. */
export interface TokenServer {
  readonly url: string;
  readonly issuer: string;
  readonly idp: FixtureIssuer;
  readonly service: TokenService;
  readonly events: ExchangeEvent[];
  post(form: Record<string, string> | string, init?: RequestInit): Promise<Response>;
  /** Exchanges a new token, with the given parameters and claims. */
  ask(change?: Record<string, string>, claims?: JWTPayload): Promise<Response>;
  close(): Promise<void>;
}

export const urn = "urn:ietf:params:oauth";
export const grantType: string = `${urn}:grant-type:token-exchange`;
export const jwtType: string = `${urn}:token-type:jwt`;

export async function startTokenServer(
  options: Partial<TokenServiceOptions> & {
    readonly http?: TokenHandlerOptions;
    /** Path of the issuer identifier, such as "/tenant". */
    readonly issuerPath?: string;
  } = {},
): Promise<TokenServer> {
  const { http, issuerPath = "", ...serviceOptions } = options;
  const idp = await startFixtureIssuer();
  const trust = createTrustStore({ issuers: [{ issuer: idp.issuer, audience: fixtureAudience }] });
  const events: ExchangeEvent[] = [];
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const issuer = url + issuerPath;
  const service = createTokenService({
    issuer,
    trust,
    keys: createDerivedKeySource({ secret: "0123456789abcdef0123456789abcdef", issuer }),
    audiences: ["https://api.example", "reports"],
    ...serviceOptions,
  });
  const onExchange = (event: ExchangeEvent): void => void events.push(event);
  server.on("request", createTokenHandler(service, { onExchange, ...http }));
  const post: TokenServer["post"] = (form, init = {}) =>
    fetch(`${issuer}/v1/token`, {
      method: "POST",
      headers: { "content-type": "application/x-www-form-urlencoded" },
      body: typeof form === "string" ? form : new URLSearchParams(form).toString(),
      ...init,
    });
  return {
    url,
    issuer,
    idp,
    service,
    events,
    post,
    ask: async (change = {}, claims = {}) =>
      post({
        grant_type: grantType,
        subject_token: await idp.mint(claims),
        subject_token_type: jwtType,
        ...change,
      }),
    async close() {
      trust.close();
      await idp.close();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
    },
  };
}

import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { loopbackHost } from "@parsec/program";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { answerJson, answerText } from "../node/json-answer.ts";
import type { OfficeEndpoint } from "./back-office.ts";

/** An identity provider that issues tokens without authentication. For demonstrations on loopback only. */
export interface FixtureIdp {
  readonly issuer: string;
  readonly jwksUrl: string;
  /** Issues a subject token, as `GET /token?sub=…` does. */
  mint(subject: string, options?: { readonly scope?: string }): Promise<string>;
  close(): Promise<void>;
}

export interface FixtureIdpOptions {
  readonly port: number;
  /** `aud` of its tokens. */
  readonly audience: string;
  /** Handles `POST /users/<name>`. */
  readonly office: OfficeEndpoint;
}

const tokenTtlSeconds = 3_600;
const keyId = "fixture-1";
const maxBodyBytes = 4_096;

/** Starts the provider with a new key. It serves discovery, keys, tokens and the back office. */
export async function startFixtureIdp(options: FixtureIdpOptions): Promise<FixtureIdp> {
  const issuer = `http://${loopbackHost}:${options.port}`;
  const { privateKey, publicKey } = await generateKeyPair("ES256");
  const jwk = { ...(await exportJWK(publicKey)), kid: keyId, alg: "ES256", use: "sig" };
  const jwksUrl = `${issuer}/.well-known/jwks.json`;

  const mint: FixtureIdp["mint"] = (subject, { scope } = {}) =>
    new SignJWT(scope === undefined ? {} : { scope })
      .setProtectedHeader({ alg: "ES256", kid: keyId, typ: "JWT" })
      .setIssuer(issuer)
      .setSubject(subject)
      .setAudience(options.audience)
      .setJti(randomUUID())
      .setIssuedAt()
      .setExpirationTime(`${tokenTtlSeconds}s`)
      .sign(privateKey);

  const answerToken = async (
    parameters: URLSearchParams,
    response: ServerResponse,
  ): Promise<void> => {
    const subject = parameters.get("sub");
    if (subject === null || subject === "") {
      answerJson(response, 400, { error: "invalid_request", error_description: "sub is missing" });
      return;
    }
    const scope = parameters.get("scope");
    const token = await mint(subject, scope === null ? {} : { scope });
    answerText(response, 200, { text: `${token}\n`, type: "text/plain" });
  };

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? "/", issuer);
    const user = /^\/users\/([^/]+)$/.exec(url.pathname)?.[1];
    if (url.pathname === "/token") {
      const isPost = request.method === "POST";
      await answerToken(isPost ? await readForm(request) : url.searchParams, response);
    } else if (url.pathname === "/.well-known/jwks.json") {
      answerJson(response, 200, { keys: [jwk] });
    } else if (url.pathname === "/.well-known/openid-configuration") {
      answerJson(response, 200, { issuer, jwks_uri: jwksUrl, token_endpoint: `${issuer}/token` });
    } else if (user !== undefined && request.method === "POST") {
      const { status, body } = await options.office({
        subject: decodeURIComponent(user),
        roles: (await readForm(request)).get("roles")?.split(",").filter(Boolean),
      });
      answerJson(response, status, body);
    } else {
      const description =
        "unknown path: try GET /token?sub=alice or POST /users/alice with roles=auditor";
      answerJson(response, 404, { error: "not_found", error_description: description });
    }
  };

  const server = createServer((request, response) => {
    answer(request, response).catch(() => answerJson(response, 400, { error: "invalid_request" }));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port, loopbackHost, resolve);
  });

  return {
    issuer,
    jwksUrl,
    mint,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function readForm(request: IncomingMessage): Promise<URLSearchParams> {
  let text = "";
  for await (const chunk of request.setEncoding("utf8")) {
    text += chunk;
    if (text.length > maxBodyBytes)
      throw new Error(`body must have at most ${maxBodyBytes} characters`);
  }
  return new URLSearchParams(text);
}

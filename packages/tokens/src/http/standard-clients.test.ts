import { createRemoteJWKSet, jwtVerify } from "jose";
import * as oauth from "oauth4webapi";
import * as openid from "openid-client";
import { afterEach, describe, expect, test } from "vitest";
import { grantType, jwtType, startTokenServer, type TokenServer } from "../../test/token-server.ts";

// Both libraries reject plain http by default; no other default is changed.
const insecure = { [oauth.allowInsecureRequests]: true };
const clients = [{ id: "shop & co", secret: "s3cr:t +ü" }];

let server: TokenServer;
afterEach(() => server.close());

async function parameters(): Promise<Record<string, string>> {
  return {
    subject_token: await server.idp.mint({ scope: "read write" }),
    subject_token_type: jwtType,
    scope: "read",
  };
}

async function checkToken(token: string, jwksUri: string | undefined): Promise<void> {
  const keys = createRemoteJWKSet(new URL(jwksUri ?? ""));
  const { payload } = await jwtVerify(token, keys, {
    issuer: server.issuer,
    audience: "https://api.example",
  });
  expect(payload).toMatchObject({ sub: "alice", scope: "read" });
}

const authentications = [
  ["client_secret_basic", oauth.ClientSecretBasic, openid.ClientSecretBasic],
  ["client_secret_post", oauth.ClientSecretPost, openid.ClientSecretPost],
] as const;

describe.each(["", "/tenant"])("issuer path %j", (issuerPath) => {
  test.each(["oauth2", "oidc"] as const)(
    "works with oauth4webapi, %s discovery and a public client",
    async (algorithm) => {
      server = await startTokenServer({ issuerPath });
      const url = new URL(server.issuer);
      const as = await oauth.processDiscoveryResponse(
        url,
        await oauth.discoveryRequest(url, { algorithm, ...insecure }),
      );
      const client = { client_id: "spa" };
      const response = await oauth.genericTokenEndpointRequest(
        as,
        client,
        oauth.None(),
        grantType,
        await parameters(),
        insecure,
      );
      const result = await oauth.processGenericTokenEndpointResponse(as, client, response);
      expect(result).toMatchObject({ token_type: "bearer", expires_in: 300 });
      await checkToken(result.access_token, as.jwks_uri);
    },
  );

  test.each(["oauth2", "oidc"] as const)(
    "works with openid-client and %s discovery",
    async (algorithm) => {
      server = await startTokenServer({ issuerPath, clients });
      const config = await openid.discovery(
        new URL(server.issuer),
        "shop & co",
        "s3cr:t +ü",
        undefined,
        { algorithm, execute: [openid.allowInsecureRequests] },
      );
      const result = await openid.genericGrantRequest(config, grantType, await parameters());
      expect(result.token_type).toBe("bearer");
      await checkToken(result.access_token, config.serverMetadata().jwks_uri);
    },
  );
});

test.each(authentications)("authenticates clients by %s", async (_name, viaOauth, viaOpenid) => {
  server = await startTokenServer({ clients });
  const url = new URL(server.issuer);
  const as = await oauth.processDiscoveryResponse(
    url,
    await oauth.discoveryRequest(url, { algorithm: "oauth2", ...insecure }),
  );
  const client = { client_id: "shop & co" };
  const response = await oauth.genericTokenEndpointRequest(
    as,
    client,
    viaOauth("s3cr:t +ü"),
    grantType,
    await parameters(),
    insecure,
  );
  const result = await oauth.processGenericTokenEndpointResponse(as, client, response);
  await checkToken(result.access_token, as.jwks_uri);

  const config = await openid.discovery(url, "shop & co", undefined, viaOpenid("s3cr:t +ü"), {
    algorithm: "oauth2",
    execute: [openid.allowInsecureRequests],
  });
  const viaOther = await openid.genericGrantRequest(config, grantType, await parameters());
  await checkToken(viaOther.access_token, as.jwks_uri);
});

test("both libraries parse error responses", async () => {
  server = await startTokenServer({ clients });
  const config = await openid.discovery(new URL(server.issuer), "shop & co", "wrong", undefined, {
    algorithm: "oauth2",
    execute: [openid.allowInsecureRequests],
  });
  await expect(
    openid.genericGrantRequest(config, grantType, await parameters()),
  ).rejects.toMatchObject({ error: "invalid_client", status: 401 });

  const as = config.serverMetadata();
  const client = { client_id: "shop & co" };
  const response = await oauth.genericTokenEndpointRequest(
    as,
    client,
    oauth.ClientSecretPost("s3cr:t +ü"),
    grantType,
    { ...(await parameters()), scope: "admin" },
    insecure,
  );
  await expect(
    oauth.processGenericTokenEndpointResponse(as, client, response),
  ).rejects.toMatchObject({ error: "invalid_scope", status: 400 });
});

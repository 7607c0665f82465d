import { afterEach, expect, test } from "vitest";
import { grantType, startTokenServer, type TokenServer } from "../../test/token-server.ts";
import { createDerivedKeySource } from "../keys/derived-key-source.ts";

const opened: { close(): unknown }[] = [];
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close();
});

async function start(options: Parameters<typeof startTokenServer>[0] = {}): Promise<TokenServer> {
  const server = await startTokenServer(options);
  opened.push(server);
  return server;
}

test("serves the key set with max-age and ETag, and 304 for a known ETag", async () => {
  const server = await start();
  for (const path of ["/v1/jwks.json", "/.well-known/jwks.json", "/v1/jwks.json?x=1"]) {
    const response = await fetch(server.url + path);
    expect(response.headers.get("cache-control")).toBe("public, max-age=300");
    const { keys } = (await response.json()) as { keys: Record<string, unknown>[] };
    expect(keys.length).toBeGreaterThan(0);
    expect(keys.every((key) => !("d" in key) && key.use === "sig")).toBe(true);
    const etag = response.headers.get("etag") ?? "";
    for (const tag of [etag, `W/${etag}`, `"old", ${etag}`, "*"]) {
      const again = await fetch(server.url + path, { headers: { "if-none-match": tag } });
      expect(again.status).toBe(304);
    }
    const other = await fetch(server.url + path, { headers: { "if-none-match": '"old"' } });
    expect(other.status).toBe(200);
  }
  const head = await fetch(`${server.url}/v1/jwks.json`, { method: "HEAD" });
  expect(head.status).toBe(200);
  expect(await head.text()).toBe("");
});

test("publishes a new key for a whole rotation before it signs", async () => {
  let now = Date.UTC(2030, 0, 1, 0, 30);
  const keys = createDerivedKeySource({
    secret: "0123456789abcdef0123456789abcdef",
    issuer: "x",
    rotateEveryMs: 3_600_000,
    maxTokenTtlMs: 600_000,
  });
  const server = await start({ keys, now: () => now });
  const kids = async (): Promise<unknown[]> => {
    const response = await fetch(`${server.url}/v1/jwks.json`);
    return ((await response.json()) as { keys: { kid: unknown }[] }).keys.map((key) => key.kid);
  };
  const before = await kids();
  expect(before).toEqual([keys.keysAt(now).signing.kid, expect.any(String)]);
  now += 3_600_000;
  expect(keys.keysAt(now).signing.kid).toBe(before[1]);
});

test("serves the metadata of an issuer with a path at both well-known paths", async () => {
  const server = await start({ issuerPath: "/tenant" });
  for (const path of [
    "/.well-known/oauth-authorization-server/tenant",
    "/tenant/.well-known/openid-configuration",
  ]) {
    const response = await fetch(server.url + path);
    expect(await response.json()).toEqual({
      issuer: `${server.url}/tenant`,
      token_endpoint: `${server.url}/tenant/v1/token`,
      jwks_uri: `${server.url}/tenant/v1/jwks.json`,
      response_types_supported: ["none"],
      grant_types_supported: [grantType],
      token_endpoint_auth_methods_supported: ["none"],
    });
  }
  expect((await server.ask()).status).toBe(200);
});

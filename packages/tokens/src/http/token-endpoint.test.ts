import { once } from "node:events";
import { connect } from "node:net";
import { afterEach, expect, test } from "vitest";
import { fixtureAudience } from "../../test/fixture-issuer.ts";
import { jwtType, startTokenServer, type TokenServer } from "../../test/token-server.ts";
import { createTrustStore } from "../trust/trust-store.ts";

const opened: { close(): unknown }[] = [];
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close();
});

async function start(options: Parameters<typeof startTokenServer>[0] = {}): Promise<TokenServer> {
  const server = await startTokenServer(options);
  opened.push(server);
  return server;
}

test("reports an invalid subject token as invalid_request, and logs no token", async () => {
  const server = await start();
  for (const subject_token of ["x.y.z", await server.idp.mint({ aud: "other" })]) {
    const response = await server.ask({ subject_token });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      error: "invalid_request",
      error_description: expect.stringMatching(/^subject_token: token is not accepted/) as string,
    });
    expect(server.events.at(-1)?.error?.message).not.toContain(subject_token);
  }
  const actor = { actor_token: "x.y.z", actor_token_type: jwtType };
  expect(await (await server.ask(actor)).json()).toMatchObject({ error: "invalid_request" });
});

test("answers 503 when the keys of the identity provider are unavailable", async () => {
  // Port 9 (discard) has no listener on any test machine.
  const issuer = "http://127.0.0.1:9";
  const trust = createTrustStore({ issuers: [{ issuer, audience: fixtureAudience }] });
  opened.push(trust);
  const server = await start({ trust });
  const response = await server.ask({}, { iss: issuer });
  expect(response.status).toBe(503);
  expect(await response.json()).toMatchObject({ error: "temporarily_unavailable" });
});

test.each([
  ["JSON", "application/json", "{}"],
  ["no type", "", "grant_type=x"],
  ["another charset", "application/x-www-form-urlencoded; charset=latin1", "grant_type=x"],
  ["multipart", "multipart/form-data; boundary=x", "--x--"],
])("rejects a body with %s", async (_name, type, body) => {
  const server = await start();
  const response = await server.post("", {
    headers: { "content-type": type },
    body: Buffer.from(body),
  });
  expect(response.status).toBe(400);
  expect(await response.json()).toMatchObject({ error: "invalid_request" });
  expect(response.headers.get("cache-control")).toBe("no-store");
});

test("accepts charset=UTF-8 in any spelling", async () => {
  const server = await start();
  for (const charset of ["UTF-8", '"utf-8"', "utf8"]) {
    const response = await server.post("grant_type=x", {
      headers: { "content-type": `application/x-www-form-urlencoded;charset=${charset}` },
    });
    expect(await response.json()).toMatchObject({ error: "unsupported_grant_type" });
  }
});

test("rejects a body that is not UTF-8 or is compressed", async () => {
  const server = await start();
  const type = { "content-type": "application/x-www-form-urlencoded" };
  for (const init of [
    { headers: type, body: Buffer.from([0x61, 0x3d, 0xff]) },
    { headers: { ...type, "content-encoding": "gzip" }, body: "x" },
  ]) {
    const response = await server.post("", init);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error: "invalid_request" });
  }
});

test("answers 413 for a body over the limit, with and without content-length", async () => {
  const server = await start({ http: { maxBodyBytes: 1_024 } });
  const announced = await server.post("x".repeat(2_000));
  expect(announced.status).toBe(413);
  expect(announced.headers.get("connection")).toBe("close");
  expect(await announced.json()).toMatchObject({ error: "invalid_request" });
  const stream = new ReadableStream({
    pull(controller) {
      controller.enqueue(Buffer.alloc(500, "x"));
    },
  });
  const init = { body: stream, duplex: "half" } as RequestInit;
  const streamed = await server.post("", init).catch(() => undefined);
  // The endless upload is aborted: the client sees either the response or a reset.
  expect(streamed?.status ?? 413).toBe(413);
  expect((await server.ask()).status).toBe(200);
});

test("keeps serving after a client disconnects in the middle of its body", async () => {
  const server = await start();
  const socket = connect(Number(new URL(server.url).port), "127.0.0.1");
  await once(socket, "connect");
  socket.write(
    "POST /v1/token HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-www-form-urlencoded\r\n" +
      "content-length: 100\r\n\r\ngrant_type=",
  );
  socket.destroy();
  await expect.poll(() => server.events.at(-1)?.outcome).toBe("abandoned");
  expect((await server.ask()).status).toBe(200);
});

test.each([
  ["GET", "/v1/token", "POST"],
  ["PUT", "/v1/token", "POST"],
  ["POST", "/v1/jwks.json", "GET, HEAD"],
  ["DELETE", "/.well-known/oauth-authorization-server", "GET, HEAD"],
])("answers %s %s with 405 and Allow", async (method, path, allow) => {
  const server = await start();
  const response = await fetch(server.url + path, { method });
  expect(response.status).toBe(405);
  expect(response.headers.get("allow")).toBe(allow);
});

test("answers other paths with 404 in JSON", async () => {
  const server = await start();
  for (const path of ["/", "/v1/tokens", "/v1/token/", "/.well-known/nothing", "//v1/token"]) {
    const response = await fetch(server.url + path);
    expect(response.status).toBe(404);
    expect(response.headers.get("content-type")).toBe("application/json");
  }
});

test("answers 401 to failed client authentication, with a challenge when the header was used", async () => {
  const server = await start({ clients: [{ id: "billing", secret: "s3cret" }] });
  const inBody = await server.ask({ client_id: "billing", client_secret: "wrong" });
  expect(inBody.status).toBe(401);
  expect(inBody.headers.has("www-authenticate")).toBe(false);
  expect(await inBody.json()).toMatchObject({ error: "invalid_client" });
  const inHeader = await server.post("grant_type=x", {
    headers: {
      "content-type": "application/x-www-form-urlencoded",
      authorization: `Basic ${Buffer.from("billing:wrong").toString("base64")}`,
    },
  });
  expect(inHeader.status).toBe(401);
  expect(inHeader.headers.get("www-authenticate")).toMatch(/^Basic realm=/);
  expect(await inHeader.json()).toMatchObject({ error: "invalid_client" });
});

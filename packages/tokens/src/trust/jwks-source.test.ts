import { afterEach, beforeEach, expect, test } from "vitest";
import { type FixtureIssuer, startFixtureIssuer } from "../../test/fixture-issuer.ts";
import { createJwksSource, type JwksSource, type JwksSourceOptions } from "./jwks-source.ts";

let idp: FixtureIssuer;
let now = 1_000_000;
const opened: JwksSource[] = [];

beforeEach(async () => {
  idp = await startFixtureIssuer();
  now = 1_000_000;
});
afterEach(async () => {
  for (const source of opened.splice(0)) source.close();
  await idp.close();
});

function open(options: Partial<JwksSourceOptions> = {}): JwksSource {
  const source = createJwksSource({
    url: new URL(idp.issuer),
    maxAgeMs: 10_000,
    maxStaleMs: 100_000,
    cooldownMs: 5_000,
    retryMs: 1_000,
    timeoutMs: 2_000,
    maxBytes: 65_536,
    now: () => now,
    ...options,
  });
  opened.push(source);
  return source;
}

const known = { alg: "ES256", kid: "key-1" };
const unknown = { alg: "ES256", kid: "made-up" };

test("coalesces concurrent callers into the first fetch", async () => {
  const source = open();
  const found = await Promise.all(Array.from({ length: 20 }, () => source.keysFor(known)));
  expect(found.every((keys) => keys.length === 1)).toBe(true);
  expect(idp.jwksRequests()).toBe(1);
});

test("fetches once per cooldown for any number of unknown key ids", async () => {
  const source = open();
  await source.keysFor(known);
  const storm = (): Promise<unknown> =>
    Promise.all(
      Array.from({ length: 200 }, (_, n) => source.keysFor({ alg: "ES256", kid: `made-up-${n}` })),
    );
  await storm();
  expect(idp.jwksRequests()).toBe(1);
  now += 5_000;
  await storm();
  await storm();
  expect(idp.jwksRequests()).toBe(2);
});

test("finds a new key by its first token after the cooldown", async () => {
  const source = open();
  await source.keysFor(known);
  await idp.rotate();
  now += 5_000;
  expect(await source.keysFor({ alg: "ES256", kid: "key-2" })).toHaveLength(1);
});

test("serves stale keys while it refreshes them in the background", async () => {
  const source = open();
  await source.keysFor(known);
  await idp.rotate();
  now += 10_001;
  expect(await source.keysFor(known)).toHaveLength(1);
  await expect.poll(async () => (await source.keysFor(known)).length).toBe(0);
});

test("keeps keys during an outage, up to the maximum age", async () => {
  const source = open();
  await source.keysFor(known);
  idp.answerJwksWith(503);
  now += 50_000;
  expect(await source.keysFor(known)).toHaveLength(1);
  expect(source.ready()).toBe(true);
  now += 50_001;
  expect(source.ready()).toBe(false);
  await expect(source.keysFor(known)).rejects.toMatchObject({ code: "ORIGIN_FAILED" });
});

test("retries until a provider that is down at the start is available", async () => {
  idp.answerJwksWith(503);
  const source = open({ retryMs: 20 });
  await expect(source.keysFor(known)).rejects.toMatchObject({ code: "ORIGIN_FAILED" });
  expect(source.ready()).toBe(false);
  idp.answerJwksWith(idp.jwks());
  await expect.poll(() => source.ready()).toBe(true);
  expect(await source.keysFor(known)).toHaveLength(1);
});

test("does not fetch for every request after a failure", async () => {
  idp.answerJwksWith(503);
  const source = open();
  for (let n = 0; n < 20; n += 1) {
    await expect(source.keysFor(known)).rejects.toMatchObject({ code: "ORIGIN_FAILED" });
  }
  expect(idp.jwksRequests()).toBe(1);
});

test("reports an unknown key during an outage as ORIGIN_FAILED", async () => {
  const source = open();
  await source.keysFor(known);
  idp.answerJwksWith(503);
  now += 5_000;
  await expect(source.keysFor(unknown)).rejects.toMatchObject({ code: "ORIGIN_FAILED" });
});

test.each([
  ["no JSON", "<html>"],
  ["no key set", { error: "x" }],
  ["too many bytes", { keys: [], padding: "x".repeat(70_000) }],
])("rejects a response with %s", async (_name, answer) => {
  idp.answerJwksWith(answer);
  await expect(open().keysFor(known)).rejects.toMatchObject({ code: "ORIGIN_FAILED" });
});

test("ignores a key of an unknown kind", async () => {
  const broken = { kty: "EC", crv: "P-256", x: "AA", y: "AA", kid: "broken", alg: "ES256" };
  idp.answerJwksWith({ keys: [{ kty: "OKP", crv: "new" }, broken, ...idp.jwks().keys] });
  const source = open();
  expect(await source.keysFor(known)).toHaveLength(1);
  expect(await source.keysFor({ alg: "ES256", kid: "broken" })).toHaveLength(0);
});

test("stops the retries on close, which is idempotent", async () => {
  idp.answerJwksWith(503);
  const source = open({ retryMs: 10 });
  await expect(source.keysFor(known)).rejects.toMatchObject({ code: "ORIGIN_FAILED" });
  source.close();
  source.close();
});

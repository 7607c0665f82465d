import { afterEach, beforeEach, expect, test } from "vitest";
import { type FixtureIssuer, startFixtureIssuer } from "../../test/fixture-issuer.ts";
import { createJwksSource, type JwksSource, type JwksSourceOptions } from "./jwks-source.ts";

let idp: FixtureIssuer;
let now = 1_000_000;
const opened: JwksSource[] = [];
const failures: (string | undefined)[] = [];

beforeEach(async () => {
  idp = await startFixtureIssuer();
  now = 1_000_000;
  failures.length = 0;
});
afterEach(async () => {
  for (const source of opened.splice(0)) source.close();
  await idp.close();
});

function open(options: Partial<JwksSourceOptions> = {}): JwksSource {
  const source = createJwksSource({
    issuer: idp.issuer,
    url: new URL(idp.issuer),
    maxAgeMs: 10_000,
    maxStaleMs: 100_000,
    cooldownMs: 5_000,
    retryMs: 1_000,
    timeoutMs: 2_000,
    maxBytes: 65_536,
    now: () => now,
    onFailure: (failure) => void failures.push(failure),
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
  expect(found.every(({ keys }) => keys.length === 1)).toBe(true);
  expect(idp.jwksRequests()).toBe(1);
});

const madeUp = (source: JwksSource, count: number, from = 0): Promise<string[]> =>
  Promise.all(
    Array.from({ length: count }, (_, n) =>
      source.keysFor({ alg: "ES256", kid: `made-up-${from + n}` }).then(
        ({ keys }) => `${keys.length} keys`,
        (error: { code: string }) => error.code,
      ),
    ),
  );

test("fetches once per cooldown for any number of unknown key ids", async () => {
  const source = open();
  await source.keysFor(known);
  await madeUp(source, 200);
  await madeUp(source, 200, 200);
  expect(idp.jwksRequests()).toBe(2);
  now += 5_000;
  await madeUp(source, 200, 400);
  expect(idp.jwksRequests()).toBe(3);
});

test("rules an unknown key out only by a fetch that began after its token came", async () => {
  const source = open();
  await source.keysFor(known);
  const answers = await madeUp(source, 20);
  expect(answers.filter((answer) => answer === "0 keys")).toHaveLength(1);
  expect(answers.filter((answer) => answer === "ORIGIN_FAILED")).toHaveLength(19);
});

test("finds a new key by its first token, however recent the last refresh", async () => {
  const source = open();
  await source.keysFor(known);
  await idp.rotate();
  expect((await source.keysFor({ alg: "ES256", kid: "key-2" })).keys).toHaveLength(1);
  expect(idp.jwksRequests()).toBe(2);
});

test("says when to retry while the extra fetch is spent, and then finds the new key", async () => {
  const source = open();
  await source.keysFor(known);
  await madeUp(source, 1);
  await idp.rotate();
  now += 2_000;
  await expect(source.keysFor({ alg: "ES256", kid: "key-2" })).rejects.toMatchObject({
    code: "ORIGIN_FAILED",
    retryAfterMs: 3_000,
  });
  now += 3_000;
  expect((await source.keysFor({ alg: "ES256", kid: "key-2" })).keys).toHaveLength(1);
});

test("finds a new key at most a retry after an outage in which the issuer rotated", async () => {
  const source = open();
  await source.keysFor(known);
  await idp.rotate({ publish: false });
  idp.answerJwksWith(503);
  const next = { alg: "ES256", kid: "key-2" };
  await expect(source.keysFor(next)).rejects.toMatchObject({ code: "ORIGIN_FAILED" });
  expect((await source.keysFor(known)).keys).toHaveLength(1);
  await expect(source.keysFor(next)).rejects.toMatchObject({ retryAfterMs: 1_000 });
  expect(idp.jwksRequests()).toBe(2);
  idp.answerJwksWith(idp.jwks());
  now += 1_000;
  expect((await source.keysFor(next)).keys).toHaveLength(1);
});

test("finds a key that replaced another under the same id, with one fetch per cooldown", async () => {
  const source = open();
  const { edition } = await source.keysFor(known);
  await idp.rotate({ kid: "key-1" });
  const newer = await source.newerKeysFor(known, edition);
  expect(newer).toMatchObject({ keys: [expect.anything()], edition: edition + 1 });
  expect(await source.newerKeysFor(known, edition + 1)).toBeUndefined();
  expect(idp.jwksRequests()).toBe(2);
});

test("joins a fetch that is under way for an unknown key", async () => {
  const source = open();
  await source.keysFor(known);
  await idp.rotate();
  now += 10_001;
  await source.keysFor(known);
  expect((await source.keysFor({ alg: "ES256", kid: "key-2" })).keys).toHaveLength(1);
  expect(idp.jwksRequests()).toBe(2);
});

test("serves stale keys while it refreshes them in the background", async () => {
  const source = open();
  await source.keysFor(known);
  await idp.rotate();
  now += 10_001;
  expect((await source.keysFor(known)).keys).toHaveLength(1);
  await expect.poll(() => idp.jwksRequests()).toBe(2);
  await expect.poll(async () => (await source.keysFor(known)).keys.length).toBe(0);
});

test("keeps keys during an outage, up to the maximum age", async () => {
  const source = open();
  await source.keysFor(known);
  idp.answerJwksWith(503);
  now += 50_000;
  expect((await source.keysFor(known)).keys).toHaveLength(1);
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
  expect((await source.keysFor(known)).keys).toHaveLength(1);
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

test.each(["=", "\n", " "])("ignores a key with %j in a coordinate", async (extra) => {
  const [key] = idp.jwks().keys;
  idp.answerJwksWith({ keys: [{ ...key, x: `${key?.x}${extra}` }] });
  expect((await open().keysFor(known)).keys).toHaveLength(0);
});

test("reports a failure once, again when its reason changes, and the recovery", async () => {
  idp.answerJwksWith(503);
  const source = open({ url: new URL(`${idp.issuer}/keys?api-key=hidden`) });
  await expect(source.keysFor(known)).rejects.toMatchObject({ code: "ORIGIN_FAILED" });
  const failing = `${idp.issuer}/keys: status 503`;
  expect(source.failure()).toBe(failing);
  now += 1_000;
  await expect(source.keysFor(known)).rejects.toMatchObject({ code: "ORIGIN_FAILED" });
  expect(failures).toEqual([failing]);
  idp.answerJwksWith("<html>");
  now += 1_000;
  await expect(source.keysFor(known)).rejects.toMatchObject({ code: "ORIGIN_FAILED" });
  idp.answerJwksWith(idp.jwks());
  now += 1_000;
  await source.keysFor(known);
  expect(failures).toEqual([failing, `${idp.issuer}/keys: not JSON`, undefined]);
  expect(source.failure()).toBeUndefined();
});

test("ignores a key of an unknown kind", async () => {
  const broken = { kty: "EC", crv: "P-256", x: "AA", y: "AA", kid: "broken", alg: "ES256" };
  idp.answerJwksWith({ keys: [{ kty: "OKP", crv: "new" }, broken, ...idp.jwks().keys] });
  const source = open();
  expect((await source.keysFor(known)).keys).toHaveLength(1);
  expect((await source.keysFor({ alg: "ES256", kid: "broken" })).keys).toHaveLength(0);
});

test("stops the retries on close, which is idempotent", async () => {
  idp.answerJwksWith(503);
  const source = open({ retryMs: 10 });
  await expect(source.keysFor(known)).rejects.toMatchObject({ code: "ORIGIN_FAILED" });
  source.close();
  source.close();
});

import { expect, test, vi } from "vitest";
import type { TokenDataSources } from "../sources/token-data-source.ts";
import { subjectCacheKey } from "../sources/token-data-source.ts";
import type { VerifiedToken } from "../trust/verified-token.ts";
import type { ClaimMapper } from "./claim-mapper.ts";
import { type ClaimRequest, createClaimPipeline } from "./claim-pipeline.ts";
import { createPassthroughMapper } from "./passthrough-mapper.ts";
import { createRequestAttributesMapper } from "./request-attributes-mapper.ts";

const subject: VerifiedToken = {
  issuer: "https://idp.example",
  subject: "alice",
  qualifiedSubject: "alice",
  mediaType: undefined,
  acceptedUntilMs: 1,
  scope: undefined,
  claims: { sub: "alice", email: "alice@example.org", plan: null },
};
const request: ClaimRequest = {
  subject,
  actor: undefined,
  request: { method: "POST", path: "/v1/token", ipAddress: "192.0.2.1", headers: {} },
  signal: new AbortController().signal,
};

function sources(fetch: TokenDataSources["fetch"]): TokenDataSources {
  return { names: () => ["users"], fetch };
}

const roles: ClaimMapper = {
  name: "roles",
  dataSources: ["users"],
  map: async ({ dataSource }) => ({
    roles: (await dataSource<{ roles: string[] }>("users"))?.roles,
  }),
};

test("fetches a data source once for two mappers, and never for none", async () => {
  const fetch = vi.fn<TokenDataSources["fetch"]>(async () => ({ roles: ["admin"] }));
  const count: ClaimMapper = {
    name: "count",
    dataSources: ["users"],
    map: async ({ dataSource }) => {
      const user = await dataSource<{ roles: string[] }>("users");
      return { role_count: user?.roles.length };
    },
  };
  const claims = await createClaimPipeline([roles, count], sources(fetch)).run(request);
  expect(claims).toEqual({ roles: ["admin"], role_count: 1 });
  expect(fetch).toHaveBeenCalledTimes(1);
  expect(fetch.mock.calls[0]?.[1]).toMatchObject({
    issuer: "https://idp.example",
    subject: "alice",
  });

  await createClaimPipeline([createPassthroughMapper({ claims: ["email"] })], sources(fetch)).run(
    request,
  );
  expect(fetch).toHaveBeenCalledTimes(1);
});

test("adds no claim when the data source has no data for the subject", async () => {
  const claims = await createClaimPipeline(
    [roles],
    sources(async () => undefined),
  ).run(request);
  expect(Object.keys(claims)).toEqual([]);
});

test("prefers the claim of a later mapper, even when an earlier one is slower", async () => {
  const slow: ClaimMapper = {
    name: "slow",
    map: async () => {
      await new Promise(setImmediate);
      return { who: "slow" };
    },
  };
  const quick: ClaimMapper = { name: "quick", map: () => ({ who: "quick" }) };
  expect(await createClaimPipeline([slow, quick], undefined).run(request)).toEqual({
    who: "quick",
  });
});

test.each(["iss", "sub", "aud", "exp", "nbf", "iat", "jti", "scope", "client_id", "act", "cnf"])(
  "rejects a mapper that sets %s",
  async (claim) => {
    const mapper: ClaimMapper = { name: "bold", map: () => ({ [claim]: "x" }) };
    await expect(createClaimPipeline([mapper], undefined).run(request)).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: `claim mapper "bold" must not set the registered claim "${claim}"`,
    });
    expect(() => createPassthroughMapper({ claims: [claim] })).toThrow(/registered claim/);
    expect(() => createRequestAttributesMapper({ claim, attributes: [] })).toThrow(
      /registered claim/,
    );
  },
);

test.each([[undefined], [null], ["text"], [["list"]]])(
  "rejects a mapper that returns %j",
  async (result) => {
    const mapper: ClaimMapper = { name: "odd", map: () => result as never };
    await expect(createClaimPipeline([mapper], undefined).run(request)).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
    });
  },
);

test("rejects an unknown data source when the pipeline is created", () => {
  const typo: ClaimMapper = { name: "typo", dataSources: ["usres"], map: () => ({}) };
  expect(() =>
    createClaimPipeline(
      [typo],
      sources(async () => undefined),
    ),
  ).toThrow(
    'claim mapper "typo": dataSources must name registered data sources (users), got "usres"',
  );
  expect(() => createClaimPipeline([typo], undefined)).toThrow(/none is registered/);
});

test("rejects a data source that the mapper does not list", async () => {
  const sneaky: ClaimMapper = {
    name: "sneaky",
    map: ({ dataSource }) => dataSource("users") as never,
  };
  const fetch = vi.fn<TokenDataSources["fetch"]>();
  await expect(createClaimPipeline([sneaky], sources(fetch)).run(request)).rejects.toMatchObject({
    code: "INVALID_ARGUMENT",
  });
  expect(fetch).not.toHaveBeenCalled();
});

test("passthrough mapper copies listed claims that are present, including null", async () => {
  const mapper = createPassthroughMapper({ claims: ["email", "plan", "toString", "missing"] });
  expect(await mapper.map({ ...request, dataSource: async () => undefined })).toEqual({
    email: "alice@example.org",
    plan: null,
  });
});

test("request attributes mapper puts present attributes into one claim", async () => {
  const mapper = createRequestAttributesMapper({ attributes: ["ipAddress", "userAgent"] });
  const context = { ...request, dataSource: async () => undefined };
  expect(await mapper.map(context)).toEqual({ rctx: { ip_address: "192.0.2.1" } });
  const nothing = createRequestAttributesMapper({ attributes: ["userAgent"] });
  expect(await nothing.map(context)).toEqual({});
});

test("supports a claim named __proto__", async () => {
  const mapper: ClaimMapper = { name: "m", map: () => JSON.parse('{"__proto__":{"admin":true}}') };
  const claims = await createClaimPipeline([mapper], undefined).run(request);
  expect(JSON.stringify({ ...claims })).toBe('{"__proto__":{"admin":true}}');
  expect((claims as { admin?: unknown }).admin).toBeUndefined();
});

test("subjectCacheKey differs for every pair of issuer and subject", () => {
  const pairs = [
    ["https://a", "alice"],
    ["https://b", "alice"],
    ["https://a,alice", ""],
    ["https://a", 'ali","ce'],
  ] as const;
  const keys = pairs.map(([issuer, subject]) => subjectCacheKey({ issuer, subject }));
  expect(new Set(keys).size).toBe(pairs.length);
});

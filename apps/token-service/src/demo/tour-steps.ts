import { createRemoteJWKSet, jwtVerify } from "jose";
import type { LocalCluster } from "../cluster/local-cluster.ts";
import { demoUsers } from "../cluster/users-database.ts";
import { exchangeAt, localLoads, measure } from "./tour-client.ts";

/** One step of the tour. */
export interface TourStep {
  readonly title: string;
  /** Resolves with the figures. Rejects with a {@link FailedCheck}, or another error when the step cannot run. */
  run(cluster: LocalCluster): Promise<string>;
}

/** A result was not as expected. */
export class FailedCheck extends Error {
  override readonly name: string = "FailedCheck";
}

const concurrentRequests = 100;
/** Maximum duration of a request; the nodes' own deadlines are shorter. */
const maxAnswerMs = 10_000;

/** The steps in order; each builds on the previous ones. */
export const tourSteps: readonly TourStep[] = [
  { title: "one user, requested on every node", run: askEveryNode },
  { title: `${concurrentRequests} concurrent requests for a new user`, run: stampede },
  { title: "roles changed, then requested on every node", run: changeRoles },
  { title: "the node that holds alice killed (SIGKILL)", run: killOwner },
];

async function askEveryNode(cluster: LocalCluster): Promise<string> {
  const subjectToken = await cluster.idp.mint("alice");
  const { result, queries, ms } = await measure(cluster, async () => {
    const tokens = [];
    for (const { url } of cluster.nodes) tokens.push(await exchangeAt(url, subjectToken));
    return tokens;
  });
  for (const [index, { token, claims }] of result.entries()) {
    expectRoles(claims.roles, ["admin"]);
    // Verified with the keys of another node, because all nodes act as one issuer.
    const other = cluster.nodes[(index + 1) % cluster.nodes.length];
    const keys = createRemoteJWKSet(new URL(`${other?.url}/v1/jwks.json`));
    await jwtVerify(token, keys, { audience: cluster.audience, typ: "JWT" });
  }
  expectQueries(queries, 1);
  return figures({ tokens: result.length, queries, ms });
}

async function stampede(cluster: LocalCluster): Promise<string> {
  const subjectToken = await cluster.idp.mint("bob");
  const { result, queries, ms } = await measure(cluster, () =>
    Promise.all(
      Array.from({ length: concurrentRequests }, (_, index) =>
        exchangeAt(cluster.nodes[index % cluster.nodes.length]?.url ?? "", subjectToken),
      ),
    ),
  );
  for (const { claims } of result) expectRoles(claims.roles, ["viewer"]);
  expectQueries(queries, 1);
  return figures({ tokens: result.length, queries, ms });
}

async function changeRoles(cluster: LocalCluster): Promise<string> {
  const subjectToken = await cluster.idp.mint("alice");
  const roles = ["auditor", "operator"];
  const startMs = performance.now();
  const response = await fetch(`${cluster.idp.issuer}/users/alice`, {
    method: "POST",
    body: new URLSearchParams({ roles: roles.join(",") }),
  });
  const invalidationMs = performance.now() - startMs;
  const { acknowledged = [] } = (await response.json()) as { acknowledged?: readonly string[] };
  if (acknowledged.length !== cluster.nodes.length) {
    throw new FailedCheck(`only ${acknowledged.length} nodes acknowledged the change`);
  }
  const { result, queries, ms } = await measure(cluster, () =>
    Promise.all(cluster.nodes.map(({ url }) => exchangeAt(url, subjectToken))),
  );
  for (const { claims } of result) expectRoles(claims.roles, roles);
  expectQueries(queries, 1);
  const invalidated = `invalidated on all nodes in ${invalidationMs.toFixed(1)} ms`;
  return `${figures({ tokens: result.length, queries, ms })}; ${invalidated}`;
}

async function killOwner(cluster: LocalCluster): Promise<string> {
  const loads = await Promise.all(cluster.nodes.map(({ url }) => localLoads(url)));
  const owner = cluster.nodes[loads.indexOf(Math.max(...loads))];
  if (owner === undefined) throw new FailedCheck("no node has loaded anything");
  const killed = owner.ended;
  owner.kill("SIGKILL");
  await killed;
  const rest = cluster.nodes.filter((node) => node !== owner);
  const subjectTokens = await Promise.all(
    demoUsers.map(({ subject }) => cluster.idp.mint(subject)),
  );
  let slowestMs = 0;
  const { result, queries, ms } = await measure(cluster, () =>
    Promise.all(
      rest.flatMap(({ url }) =>
        subjectTokens.map(async (token) => {
          const startMs = performance.now();
          const issued = await exchangeAt(url, token);
          slowestMs = Math.max(slowestMs, performance.now() - startMs);
          return issued;
        }),
      ),
    ),
  );
  for (const { claims } of result) {
    if (!Array.isArray(claims.roles)) throw new FailedCheck(`${claims.sub} lost the roles`);
  }
  if (slowestMs > maxAnswerMs) throw new FailedCheck(`an answer took ${slowestMs.toFixed(0)} ms`);
  return `${figures({ tokens: result.length, queries, ms })}; the slowest in ${slowestMs.toFixed(1)} ms`;
}

function expectQueries(actual: number, expected: number): void {
  if (actual !== expected) {
    throw new FailedCheck(`the database counted ${actual} queries instead of ${expected}`);
  }
}

function expectRoles(actual: unknown, expected: readonly string[]): void {
  if (JSON.stringify(actual) !== JSON.stringify(expected)) {
    throw new FailedCheck(`a token has roles ${JSON.stringify(actual)} instead of ${expected}`);
  }
}

function figures(of: {
  readonly tokens: number;
  readonly queries: number;
  readonly ms: number;
}): string {
  const queries = of.queries === 1 ? "1 query" : `${of.queries} queries`;
  return `${of.tokens} tokens, ${queries}, ${of.ms.toFixed(1)} ms`;
}

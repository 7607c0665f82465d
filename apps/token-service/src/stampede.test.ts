import { createPlacement } from "@parsec/core/transport";
import { subjectCacheKey } from "@parsec/tokens";
import { decodeJwt } from "jose";
import { afterEach, expect, test } from "vitest";
import { type ClusterProgram, exchangeAt, startClusterProgram } from "../test/cluster-program.ts";

// Three processes, a thousand callers each, one user that is not cached. An open transaction holds the
// database's only session until all callers wait, so that none finds the user cached.

const callersPerNode = 1_000;
/** The callers' deadline, enforced by the nodes; long, for three thousand requests on a busy machine. */
const deadlineMs = 40_000;
const env = {
  PARSEC_EXCHANGE_TIMEOUT_MS: String(deadlineMs),
  PARSEC_DATABASE_TIMEOUT_MS: String(deadlineMs),
};
/** A node that gets no processor time on a busy machine is not down: its peers wait for it as long as the callers. */
const patientPeers = { PARSEC_PEER_SILENCE_MS: String(deadlineMs) };
const timeoutMs = 3 * deadlineMs;

let cluster: ClusterProgram;
afterEach(() => cluster.stop());

interface Answer {
  readonly nodeUrl: string;
  readonly status: number | "cut off";
  readonly body: Record<string, unknown>;
}

function startCallers(token: string): Promise<Answer>[] {
  return cluster.nodes.flatMap(({ url: nodeUrl }) =>
    Array.from({ length: callersPerNode }, async (): Promise<Answer> => {
      try {
        const response = await exchangeAt(nodeUrl, token);
        const body = (await response.json()) as Record<string, unknown>;
        return { nodeUrl, status: response.status, body };
      } catch {
        return { nodeUrl, status: "cut off", body: {} };
      }
    }),
  );
}

/** Number of loads of users that a node has started. */
async function loadsAt(nodeUrl: string): Promise<number> {
  const text = await (await fetch(`${nodeUrl}/metrics/cache`)).text();
  return Number(/cache_loads\S+ (\d+)/.exec(text)?.[1]);
}

async function allWaitAt(nodeUrls: readonly string[]): Promise<void> {
  for (const url of nodeUrls) {
    await expect
      .poll(() => loadsAt(url), { timeout: deadlineMs })
      .toBeGreaterThanOrEqual(callersPerNode);
  }
}

test("coalesces a thousand callers on each of three nodes into one query", {
  timeout: timeoutMs,
}, async () => {
  cluster = await startClusterProgram({ env: { ...env, ...patientPeers } });
  const token = await cluster.mint("bob");
  // Warm-up: opens the connections, and verifies the signature once.
  for (const { url } of cluster.nodes) await exchangeAt(url, await cluster.mint("warm-up"));
  const before = await cluster.countReads();
  await cluster.database.query("BEGIN");
  const callers = startCallers(token);
  await allWaitAt(cluster.nodes.map(({ url }) => url));
  await cluster.database.query("COMMIT");
  const answers = await Promise.all(callers);
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(3 * callersPerNode);
  for (const { body } of answers) {
    expect(decodeJwt(body.access_token as string).roles).toEqual(["viewer"]);
  }
  expect((await cluster.countReads()) - before).toBe(1);
});

test("gives every caller a token or a typed error when the owner is killed", {
  timeout: timeoutMs,
}, async () => {
  cluster = await startClusterProgram({ env });
  const urls = cluster.nodes.map(({ url }) => url);
  const key = subjectCacheKey({ issuer: cluster.idpUrl, subject: "bob" });
  const ownerUrl = createPlacement("slots", urls).ownerOf(key);
  const owner = cluster.nodes.find(({ url }) => url === ownerUrl);
  const token = await cluster.mint("bob");
  const before = await cluster.countReads();
  await cluster.database.query("BEGIN");
  const callers = startCallers(token);
  await allWaitAt(urls);
  process.kill(owner?.pid ?? 0, "SIGKILL");
  await cluster.database.query("COMMIT");
  const startMs = performance.now();
  const answers = await Promise.all(callers);
  expect(performance.now() - startMs).toBeLessThan(deadlineMs);

  const ofTheDead = answers.filter(({ nodeUrl }) => nodeUrl === ownerUrl);
  expect(ofTheDead.every(({ status }) => status === "cut off" || status === 200)).toBe(true);
  const ofTheLiving = answers.filter(({ nodeUrl }) => nodeUrl !== ownerUrl);
  expect(ofTheLiving).toHaveLength(2 * callersPerNode);
  for (const { status, body } of ofTheLiving) {
    if (status === 200) expect(decodeJwt(body.access_token as string).roles).toEqual(["viewer"]);
    else expect([status, body.error]).toEqual([503, "temporarily_unavailable"]);
  }
  expect(ofTheLiving.some(({ status }) => status === 200)).toBe(true);
  // The owner's query, and one fallback query per surviving node.
  expect((await cluster.countReads()) - before).toBeLessThanOrEqual(3);
});

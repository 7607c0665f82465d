import { decodeJwt, type JWTPayload } from "jose";
import type { LocalCluster } from "../cluster/local-cluster.ts";

/** A token issued by a node. */
export interface IssuedToken {
  readonly token: string;
  readonly claims: JWTPayload;
}

const urn = "urn:ietf:params:oauth";
const timeoutMs = 10_000;

/** Exchanges a subject token at one node. Rejects with the node's error description. */
export async function exchangeAt(nodeUrl: string, subjectToken: string): Promise<IssuedToken> {
  const response = await fetch(`${nodeUrl}/v1/token`, {
    method: "POST",
    headers: { "content-type": "application/x-www-form-urlencoded" },
    body: new URLSearchParams({
      grant_type: `${urn}:grant-type:token-exchange`,
      subject_token: subjectToken,
      subject_token_type: `${urn}:token-type:jwt`,
    }).toString(),
    signal: AbortSignal.timeout(timeoutMs),
  });
  const body = (await response.json()) as { access_token?: string; error_description?: string };
  if (body.access_token === undefined) {
    throw new Error(`${nodeUrl} answered ${response.status}: ${body.error_description}`);
  }
  return { token: body.access_token, claims: decodeJwt(body.access_token) };
}

/** Runs `work` and measures its duration and the number of queries that read users. */
export async function measure<T>(
  cluster: LocalCluster,
  work: () => Promise<T>,
): Promise<{ readonly result: T; readonly queries: number; readonly ms: number }> {
  const before = await cluster.users.countReads();
  const startMs = performance.now();
  const result = await work();
  const ms = performance.now() - startMs;
  return { result, ms, queries: (await cluster.users.countReads()) - before };
}

/** Number of origin fetches by a node. The owner of a user is the node that fetched it. */
export async function localLoads(nodeUrl: string): Promise<number> {
  const response = await fetch(`${nodeUrl}/metrics`, { signal: AbortSignal.timeout(timeoutMs) });
  const line = /^groupcache_local_loads_total\{[^}]*\} (\d+)$/m.exec(await response.text());
  return Number(line?.[1] ?? 0);
}

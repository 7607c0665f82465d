import type { LocalCluster } from "./local-cluster.ts";

/** What a newcomer sees: where everything is, and lines to paste. */
export function welcome({ nodes, isNatsEmbedded, persist }: LocalCluster): string {
  const where = nodes.map(({ id, url, pid }) => `  ${id}  ${url}  (pid ${pid})`);
  const [first, second, third] = nodes.map(({ url }) => url);
  const nats = isNatsEmbedded ? "a nats-server of their own" : "the NATS servers that were given";
  const kept = persist === undefined ? "in memory, two copies of everything" : `in ${persist}`;
  return `Three cache nodes share one key space; they meet by ${nats}, and keep the data ${kept}:
${where.join("\n")}
Try, in any order, any node for any key:
  curl -X POST ${first}/set -H "Content-Type: application/json" -d '{"key":"user:1","value":"Alice"}'
  curl "${second}/get?key=user:1"
  curl "${first}/owner?key=user:1"
  curl -X DELETE "${third}/delete?key=user:1"
  curl ${first}/stats
Kill a node by its pid: what was acknowledged is still there. Ctrl-C stops everything.
`;
}

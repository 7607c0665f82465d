import type { LocalCluster } from "./local-cluster.ts";

/** The message after the start: the addresses of the nodes, and commands to paste. */
export function welcome({ nodes, isNatsEmbedded, persist }: LocalCluster): string {
  const where = nodes.map(({ id, url, pid }) => `  ${id}  ${url}  (pid ${pid})`);
  const [first, second, third] = nodes.map(({ url }) => url);
  const nats = isNatsEmbedded ? "their own nats-server" : "the given NATS servers";
  const kept = persist === undefined ? "in memory, two copies of each value" : `in ${persist}`;
  return `Three cache nodes share one key space, connected by ${nats}. The data is kept ${kept}:
${where.join("\n")}
Try these, in any order; every node answers for every key:
  curl -X POST ${first}/set -H "Content-Type: application/json" -d '{"key":"user:1","value":"Alice"}'
  curl "${second}/get?key=user:1"
  curl "${first}/owner?key=user:1"
  curl -X DELETE "${third}/delete?key=user:1"
  curl ${first}/stats
Kill a node by its pid: no acknowledged write is lost. Ctrl-C stops all nodes.
`;
}

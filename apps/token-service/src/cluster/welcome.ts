import type { LocalCluster } from "./local-cluster.ts";

/** The first output of `start`: all addresses, and three lines to paste. */
export function welcome(cluster: LocalCluster): string {
  const { nodes, idp } = cluster;
  const ports = nodes.map(({ url }) => new URL(url).port);
  const host = `http://${new URL(idp.issuer).hostname}`;
  const where = nodes.map(
    ({ url, pid }, index) => `  node ${index + 1}             ${url}  (pid ${pid})`,
  );
  const second = nodes[1]?.url ?? nodes[0]?.url;
  return `Three token services fetch each user once for all of them:
${where.join("\n")}
  identity provider  ${idp.issuer}  (knows alice, bob and carol)
  database           ${cluster.databaseLabel}
Try, in this order; the last line shows one fetch (cache_fetches) for all three nodes together:
  TOKEN=$(curl -s "${idp.issuer}/token?sub=alice")
  curl -s ${second}/v1/token -d grant_type=urn:ietf:params:oauth:grant-type:token-exchange -d subject_token_type=urn:ietf:params:oauth:token-type:jwt -d subject_token=$TOKEN
  curl -s "${host}:{${ports.join(",")}}/metrics/cache"
Ctrl-C stops everything.
`;
}

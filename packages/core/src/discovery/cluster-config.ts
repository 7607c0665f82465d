import { isParsecError } from "../errors.ts";
import { describe, invalidArgument } from "../option-checks.ts";
import { createDnsDiscovery, type DnsDiscovery } from "./dns-discovery.ts";
import type { DnsDiscoveryOptions } from "./dns-discovery-options.ts";
import { checkedNodeId } from "./node-id.ts";

const schemes: readonly string[] = ["http:", "https:", "grpc:", "grpcs:"];

/** This node and all nodes, as URLs. */
export interface ClusterConfig {
  readonly selfUrl: string;
  /** Every node, this one included; this one alone while `discovery` has not found the others. */
  readonly peerUrls: readonly string[];
  /** There when `PARSEC_PEER_DNS` is set. Starts when it is given to a transport. */
  readonly discovery?: DnsDiscovery;
}

/**
 * Reads `PARSEC_SELF_URL` (default `http://localhost:8080`) and how to know the others: `PARSEC_PEER_URLS`
 * (comma-separated, this node included; default: this node alone), or `PARSEC_PEER_DNS`, a name to look up
 * (`srv:` before it asks for SRV records), with `PARSEC_PEER_DNS_SERVERS` and `PARSEC_PEER_DNS_REFRESH_MS`
 * if need be. Throws `INVALID_ARGUMENT` that names the variable.
 */
export function clusterConfigFromEnv(
  env: Readonly<Record<string, string | undefined>> = process.env,
): ClusterConfig {
  const selfUrl = checkedUrl(
    "PARSEC_SELF_URL",
    env.PARSEC_SELF_URL?.trim() || "http://localhost:8080",
  );
  const urls = listed(env.PARSEC_PEER_URLS);
  const dnsName = env.PARSEC_PEER_DNS?.trim() ?? "";
  if (dnsName !== "") {
    if (urls.length > 0)
      throw invalidArgument("PARSEC_PEER_URLS and PARSEC_PEER_DNS exclude each other");
    return { selfUrl, peerUrls: [selfUrl], discovery: discoveryOf(dnsName, { env, selfUrl }) };
  }
  if (urls.length === 0) return { selfUrl, peerUrls: [selfUrl] };
  return { selfUrl, peerUrls: urls.map((url) => checkedUrl("PARSEC_PEER_URLS", url)) };
}

function discoveryOf(
  given: string,
  {
    env,
    selfUrl,
  }: { readonly env: Readonly<Record<string, string | undefined>>; readonly selfUrl: string },
): DnsDiscovery {
  const isSrv = given.startsWith("srv:") || given.startsWith("_");
  const record = isSrv ? "srv" : "address";
  const servers = listed(env.PARSEC_PEER_DNS_SERVERS);
  const refreshMs = env.PARSEC_PEER_DNS_REFRESH_MS?.trim() ?? "";
  const discovery = naming("PARSEC_PEER_DNS", () =>
    createDnsDiscovery({
      name: given.replace(/^srv:/, ""),
      record,
      ...(servers.length === 0 ? {} : { servers }),
      ...(refreshMs === "" ? {} : { refreshMs: Number(refreshMs) }),
    }),
  );
  naming("PARSEC_SELF_URL", () => checkedNodeId(selfUrl, record));
  return discovery;
}

const variables: { readonly [field in keyof DnsDiscoveryOptions]?: string } = {
  name: "PARSEC_PEER_DNS",
  servers: "PARSEC_PEER_DNS_SERVERS",
  refreshMs: "PARSEC_PEER_DNS_REFRESH_MS",
};

/** Says which variable a refusal is about: that of the option it begins with, or else the given one. */
function naming<Made>(variable: string, make: () => Made): Made {
  try {
    return make();
  } catch (error) {
    if (!isParsecError(error)) throw error;
    const [, field = "", rest = ""] = /^(\w+)( .*)$/s.exec(error.message) ?? [];
    const named = variables[field as keyof DnsDiscoveryOptions];
    throw invalidArgument(named === undefined ? `${variable}: ${error.message}` : named + rest);
  }
}

function listed(text: string | undefined): readonly string[] {
  const items = (text ?? "").split(",").map((item) => item.trim());
  return items.filter((item) => item !== "");
}

function checkedUrl(variable: string, text: string): string {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw invalidArgument(`${variable} has ${describe(text)}, which is no URL`);
  }
  if (!schemes.includes(url.protocol)) {
    throw invalidArgument(
      `${variable} has ${describe(text)}; only http:, https:, grpc: and grpcs: are possible`,
    );
  }
  return text.endsWith("/") ? text.slice(0, -1) : text;
}

import { isParsecError } from "../errors.ts";
import { describe, invalidArgument, secretsOption } from "../option-checks.ts";
import { defaultSelfUrl } from "./default-self-url.ts";
import { createDnsDiscovery, type DnsDiscovery } from "./dns-discovery.ts";
import type { DnsDiscoveryOptions } from "./dns-discovery-options.ts";
import { checkedNodeId } from "./node-id.ts";

const schemes: readonly string[] = ["http:", "https:", "grpc:", "grpcs:"];

/** This node's URL and how to find the other nodes, for the options of a transport. */
export interface ClusterConfig {
  readonly selfUrl: string;
  /** Every node, this one included. Only this node where `discovery` finds the others. */
  readonly peerUrls: readonly string[];
  /** Present when `PARSEC_PEER_DNS` is set. A transport starts it. */
  readonly discovery?: DnsDiscovery;
  /** Present when `PARSEC_PEER_SECRET` is set. Do not log it. */
  readonly secret?: string;
}

/**
 * Reads the cluster from environment variables: `PARSEC_SELF_URL` (default `http://localhost:8080`), and
 * either `PARSEC_PEER_URLS` (comma-separated, this node included; default: this node alone) or
 * `PARSEC_PEER_DNS`, a DNS name (with the prefix `srv:` for SRV records), optionally with
 * `PARSEC_PEER_DNS_SERVERS` and `PARSEC_PEER_DNS_REFRESH_MS`. `PARSEC_PEER_SECRET` is the secret that nodes on
 * several machines share. Throws `INVALID_ARGUMENT` naming the variable.
 */
export function clusterConfigFromEnv(
  env: Readonly<Record<string, string | undefined>> = process.env,
): ClusterConfig {
  const selfUrl = checkedUrl("PARSEC_SELF_URL", env.PARSEC_SELF_URL?.trim() || defaultSelfUrl);
  const urls = listed(env.PARSEC_PEER_URLS);
  const secret = secretIn(env.PARSEC_PEER_SECRET);
  const dnsName = env.PARSEC_PEER_DNS?.trim() ?? "";
  if (dnsName !== "") {
    if (urls.length > 0)
      throw invalidArgument("set either PARSEC_PEER_URLS or PARSEC_PEER_DNS, not both");
    return {
      selfUrl,
      peerUrls: [selfUrl],
      discovery: discoveryOf(dnsName, { env, selfUrl }),
      ...secret,
    };
  }
  if (urls.length === 0) return { selfUrl, peerUrls: [selfUrl], ...secret };
  return { selfUrl, peerUrls: urls.map((url) => checkedUrl("PARSEC_PEER_URLS", url)), ...secret };
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

/** Names the variable in an `INVALID_ARGUMENT`: that of the option the message begins with, else the given one. */
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

function secretIn(text: string | undefined): { readonly secret?: string } {
  if (text === undefined || text === "") return {};
  naming("PARSEC_PEER_SECRET", () => secretsOption(text));
  return { secret: text };
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
    throw invalidArgument(`${variable}: ${describe(text)} is not a valid URL`);
  }
  if (!schemes.includes(url.protocol)) {
    throw invalidArgument(
      `${variable} must have the scheme http:, https:, grpc: or grpcs:, got ${describe(text)}`,
    );
  }
  return text.endsWith("/") ? text.slice(0, -1) : text;
}

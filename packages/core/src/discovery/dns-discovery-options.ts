import { isIP } from "node:net";
import { type Clock, createSystemClock } from "../clock.ts";
import {
  describe,
  invalidArgument,
  knownOptions,
  rangeOption,
  wholeOption,
} from "../option-checks.ts";
import { type DnsSearch, systemSearch } from "./dns-search.ts";
import { isHostName } from "./node-id.ts";

/** Options of `createDnsDiscovery`. Use the same on every node. Times in milliseconds. */
export interface DnsDiscoveryOptions {
  /** DNS name that lists all nodes, such as a headless service. A trailing dot marks it as fully qualified. */
  readonly name: string;
  /**
   * `"address"`: A records, or AAAA when this node's own address is IPv6; all nodes use the same port.
   * `"srv"`: SRV records with a port each; priority and weight are ignored. Defaults to `"srv"` for names
   * that begin with `_`, such as `_http._tcp.parsec`, else to `"address"`.
   */
  readonly record?: "address" | "srv";
  /** DNS servers, each `address` or `address:port`. Defaults to those of the system. */
  readonly servers?: readonly string[];
  /** Search domains, tried before the name alone. Defaults to those of `/etc/resolv.conf`, or none with `servers`. */
  readonly searchDomains?: readonly string[];
  /** Interval between lookups, with a jitter of ±10 %. Defaults to 5,000. */
  readonly refreshMs?: number;
  /** Time limit of one lookup. Defaults to 3,000. */
  readonly timeoutMs?: number;
  /** Longest interval between lookups while DNS fails (exponential backoff). Defaults to 30,000, at least `refreshMs`. */
  readonly maxBackoffMs?: number;
  /** Consecutive answers without a node before the node is dropped. Defaults to 2; 1 drops it at once. */
  readonly forgetAfter?: number;
  /** Most nodes in an answer; a longer answer counts as a failure. Defaults to 1,000. */
  readonly maxPeers?: number;
  /** For tests; defaults to the process's monotonic clock. */
  readonly clock?: Clock;
  /** Numbers from 0 up to 1, for jitter. For tests; defaults to `Math.random`. */
  readonly random?: () => number;
}

/** {@link DnsDiscoveryOptions} with defaults filled in. */
export interface ResolvedDnsOptions
  extends Required<Omit<DnsDiscoveryOptions, "servers" | "searchDomains">> {
  readonly servers: readonly string[] | undefined;
  /** Called for each lookup, because the system's search domains may change. */
  readonly search: () => Promise<DnsSearch>;
}

const hourMs = 3_600_000;

/** Checks the options and fills in defaults. Throws `INVALID_ARGUMENT` naming the field and its rule. */
export function resolveDnsOptions(options: DnsDiscoveryOptions): ResolvedDnsOptions {
  knownOptions("createDnsDiscovery", options, {
    name: 1,
    record: 1,
    servers: 1,
    searchDomains: 1,
    refreshMs: 1,
    timeoutMs: 1,
    maxBackoffMs: 1,
    forgetAfter: 1,
    maxPeers: 1,
    clock: 1,
    random: 1,
  });
  const name = checkName(options.name);
  const refreshMs = rangeOption("refreshMs", options.refreshMs, [5000, 10, 24 * hourMs]);
  const record = options.record ?? (name.startsWith("_") ? "srv" : "address");
  if (record !== "address" && record !== "srv") {
    throw invalidArgument(`record must be "address" or "srv", got ${describe(record)}`);
  }
  return {
    name,
    record,
    servers: checkServers(options.servers),
    search: resolveSearch(options),
    refreshMs,
    timeoutMs: rangeOption("timeoutMs", options.timeoutMs, [3000, 10, hourMs]),
    maxBackoffMs: rangeOption("maxBackoffMs", options.maxBackoffMs, [
      Math.max(30_000, refreshMs),
      refreshMs,
      24 * hourMs,
    ]),
    forgetAfter: wholeOption("forgetAfter", options.forgetAfter, [2, 1, 1000]),
    maxPeers: wholeOption("maxPeers", options.maxPeers, [1000, 1, 10_000]),
    clock: options.clock ?? createSystemClock(),
    random: options.random ?? Math.random,
  };
}

function checkName(name: unknown): string {
  if (isDnsName(name)) return name;
  throw invalidArgument(
    `name must be a DNS name such as "parsec-peers", without scheme and port, got ${describe(name)}`,
  );
}

function isDnsName(name: unknown): name is string {
  return typeof name === "string" && isIP(name) === 0 && isHostName(name);
}

function resolveSearch(options: DnsDiscoveryOptions): () => Promise<DnsSearch> {
  const { servers, searchDomains } = options;
  if (searchDomains === undefined && servers === undefined) return systemSearch;
  const domains = searchDomains ?? [];
  const valid = Array.isArray(domains) && domains.every(isDnsName);
  if (!valid) {
    throw invalidArgument(
      `searchDomains must be an array of DNS names such as "svc.cluster.local", got ${describe(searchDomains)}`,
    );
  }
  const search = { domains, ndots: Number.POSITIVE_INFINITY };
  return async () => search;
}

function checkServers(servers: unknown): readonly string[] | undefined {
  if (servers === undefined) return undefined;
  if (!Array.isArray(servers) || servers.length === 0) {
    throw invalidArgument(
      `servers must be a non-empty array of addresses, got ${describe(servers)}`,
    );
  }
  for (const server of servers) {
    if (isServer(server)) continue;
    throw invalidArgument(
      `servers must be addresses such as "10.0.0.2", "10.0.0.2:53" or "[fd00::2]:53", got ${describe(server)}`,
    );
  }
  return servers;
}

function isServer(server: unknown): boolean {
  if (typeof server !== "string") return false;
  if (isIP(server) !== 0) return true;
  const [, address = "", port] = /^(.*?):(\d{1,5})$/.exec(server) ?? [];
  const version = isIP(address.replace(/^\[(.*)\]$/, "$1"));
  const isSpelledRight = version === 4 ? !address.startsWith("[") : address.startsWith("[");
  return version !== 0 && isSpelledRight && Number(port) >= 1 && Number(port) <= 65_535;
}

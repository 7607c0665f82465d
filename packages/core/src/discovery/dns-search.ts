import { readFile } from "node:fs/promises";

/** How names that are not complete are completed, as `/etc/resolv.conf` says. */
export interface DnsSearch {
  /** Tried one after the other. */
  readonly domains: readonly string[];
  /** A name with as many dots is tried as it is before any domain. */
  readonly ndots: number;
}

const longestName = 253;
const mostDots = 15;

/** What this machine says. It is not there on Windows, nor in some containers: then every name is complete. */
export async function systemSearch(): Promise<DnsSearch> {
  return parseResolvConf(await readFile("/etc/resolv.conf", "utf8").catch(() => ""));
}

/** Reads the text of a `resolv.conf`; what it does not know it leaves out. */
export function parseResolvConf(text: string): DnsSearch {
  let domains: readonly string[] = [];
  let ndots = 1;
  for (const line of text.split("\n")) {
    const [keyword, ...values] = line.trim().split(/\s+/);
    // The last of several counts. "search ." means none.
    if (keyword === "search" || keyword === "domain") {
      domains = values.map((value) => value.replace(/\.$/, "")).filter((value) => value !== "");
    } else if (keyword === "options") {
      for (const value of values) {
        const given = /^ndots:(\d+)$/.exec(value)?.[1];
        if (given !== undefined) ndots = Math.min(Number(given), mostDots);
      }
    }
  }
  return { domains, ndots };
}

/**
 * The complete names that a name may stand for, in the order in which they are to be asked. Node's
 * `dns.resolve4` and its like, unlike `dns.lookup`, take every name for complete.
 */
export function completeNames(name: string, search: DnsSearch): readonly string[] {
  if (name.endsWith(".")) return [name.slice(0, -1)];
  const completed = search.domains
    .map((domain) => `${name}.${domain}`)
    .filter((complete) => complete.length <= longestName);
  const dots = name.split(".").length - 1;
  return dots >= search.ndots ? [name, ...completed] : [...completed, name];
}

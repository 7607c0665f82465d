import { readFile } from "node:fs/promises";

/** How relative names are completed: the `search` and `ndots` settings of `resolv.conf`. */
export interface DnsSearch {
  /** Tried in this order. */
  readonly domains: readonly string[];
  /** A name with at least this many dots is tried as it is before any domain. */
  readonly ndots: number;
}

const longestName = 253;
const mostDots = 15;

/** The settings of this machine. Without `/etc/resolv.conf`, as on Windows, every name is fully qualified. */
export async function systemSearch(): Promise<DnsSearch> {
  return parseResolvConf(await readFile("/etc/resolv.conf", "utf8").catch(() => ""));
}

/** Parses the text of a `resolv.conf`, ignoring unknown settings. */
export function parseResolvConf(text: string): DnsSearch {
  let domains: readonly string[] = [];
  let ndots = 1;
  for (const line of text.split("\n")) {
    const [keyword, ...values] = line.trim().split(/\s+/);
    // The last line wins. "search ." means no domains.
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
 * The fully qualified names to look up for a name, in order. Needed because `dns.resolve4` and the other
 * resolver functions of Node, unlike `dns.lookup`, do not apply search domains.
 */
export function completeNames(name: string, search: DnsSearch): readonly string[] {
  if (name.endsWith(".")) return [name.slice(0, -1)];
  const completed = search.domains
    .map((domain) => `${name}.${domain}`)
    .filter((complete) => complete.length <= longestName);
  const dots = name.split(".").length - 1;
  return dots >= search.ndots ? [name, ...completed] : [...completed, name];
}

import { parsePort } from "@parsec/program";
import { invalidVariable } from "./environment.ts";

/** The address of a server; without host, it listens on all interfaces. */
export interface ListenAddress {
  readonly host: string | undefined;
  readonly port: number;
}

const loopback = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;

/** Whether the host of a URL is loopback. */
export function isLoopback(url: string): boolean {
  return loopback.test(new URL(url).hostname);
}

/**
 * Derives the address from the node's URL: a node with a loopback URL listens on loopback only, any other
 * on all interfaces. `PARSEC_LISTEN` and the flags override it. The variable is not called PARSEC_PORT,
 * because Kubernetes sets that one for a service named "parsec".
 */
export function listenAddress(
  selfUrl: string,
  overrides: {
    readonly listen?: string | undefined;
    readonly host?: string;
    readonly port?: string;
  },
): ListenAddress {
  const url = new URL(selfUrl);
  let port = Number(url.port || (url.protocol === "https:" ? 443 : 80));
  let host = isLoopback(selfUrl) ? withoutBrackets(url.hostname) : undefined;
  if (host === "localhost") host = "127.0.0.1";
  if (overrides.listen !== undefined) {
    const [, givenHost, givenPort] = /^(.*):(\d+)$/.exec(overrides.listen) ?? [];
    if (givenHost === undefined || givenPort === undefined) {
      throw invalidVariable(
        "PARSEC_LISTEN",
        `must be host:port, such as 0.0.0.0:8080 or [::]:8080, got "${overrides.listen}"`,
      );
    }
    host = withoutBrackets(givenHost) || undefined;
    port = parsePort("PARSEC_LISTEN", givenPort);
  }
  if (overrides.host !== undefined) host = overrides.host;
  if (overrides.port !== undefined) port = parsePort("--port", overrides.port);
  return { host, port };
}

function withoutBrackets(host: string): string {
  return host.replace(/^\[(.*)\]$/, "$1");
}

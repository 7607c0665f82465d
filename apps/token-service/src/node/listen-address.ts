import { parsePort } from "@parsec/program";
import { invalidVariable } from "./environment.ts";

/** Where a server listens; without host on all addresses. */
export interface ListenAddress {
  readonly host: string | undefined;
  readonly port: number;
}

const loopback = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;

/** Whether a URL can be reached from this machine only. */
export function isLoopback(url: string): boolean {
  return loopback.test(new URL(url).hostname);
}

/**
 * Derives the address from the node's own URL: a node that peers reach by loopback listens there
 * only, any other on all addresses. `PARSEC_LISTEN` and the flags override. The variable is not
 * called PARSEC_PORT because Kubernetes sets that one by itself for a service named "parsec".
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
        "must be host:port, such as 0.0.0.0:8080 or [::]:8080",
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

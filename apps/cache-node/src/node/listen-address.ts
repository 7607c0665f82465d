import { ParsecError } from "@parsec/core";

/** The address of a server; without host, all addresses. */
export interface ListenAddress {
  readonly host: string | undefined;
  readonly port: number;
}

/**
 * Reads `:8081`, `8081`, `127.0.0.1:8081`, `localhost:8081` or `[::1]:8081`; port 0 stands for any free port.
 * Throws `INVALID_ARGUMENT` naming `name`.
 */
export function parseListenAddress(name: string, text: string): ListenAddress {
  const [, bracketed, plain, digits = ""] =
    /^(?:(?:\[([0-9a-fA-F:.%\w]+)\]|([^\s:[\]]*)):)?(\d{1,5})$/.exec(text) ?? [];
  const port = digits === "" ? Number.NaN : Number(digits);
  if (port <= 65_535) return { host: (bracketed ?? plain) || undefined, port };
  throw new ParsecError(
    "INVALID_ARGUMENT",
    `${name} must be an address to listen on, such as :8081, 127.0.0.1:8081 or [::1]:8081, got ${JSON.stringify(text)}`,
  );
}

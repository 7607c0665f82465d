import { ParsecError } from "@parsec/core";

/** The NATS servers of a node: `none` for development, `embedded` for its own server, or URLs. */
export type NatsTarget =
  | { readonly kind: "none" }
  | { readonly kind: "embedded" }
  | { readonly kind: "servers"; readonly urls: readonly string[] };

const schemes: ReadonlySet<string> = new Set(["nats:", "tls:"]);

/** Reads `none`, `embedded`, or URLs separated by commas. Throws `INVALID_ARGUMENT` naming `name`. */
export function parseNatsTarget(name: string, text: string): NatsTarget {
  if (text === "none" || text === "embedded") return { kind: text };
  const urls = text
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "")
    .map((item) => (item.includes("://") ? item : `nats://${item}`));
  const isValid = (url: string): boolean =>
    URL.canParse(url) && schemes.has(new URL(url).protocol) && new URL(url).hostname !== "";
  if (urls.length > 0 && urls.every(isValid)) return { kind: "servers", urls };
  // The text is not repeated: it may hold a password.
  throw new ParsecError(
    "INVALID_ARGUMENT",
    `${name} must be none, embedded, or URLs of NATS servers such as nats://localhost:4222`,
  );
}

/** Formats a target for output and logs, without user and password. */
export function describeNats(target: NatsTarget): string {
  if (target.kind !== "servers") return target.kind;
  const hosts = target.urls.map((text) => {
    const { protocol, host } = new URL(text);
    return `${protocol}//${host}`;
  });
  return hosts.join(", ");
}

import { describe, invalidArgument } from "@parsec/core/authoring";
import type { UrlSpelling } from "@parsec/core/transport";

/** The ids of nodes: URLs such as `http://node-1:8080`. Placement hashes their text, so all nodes must spell each URL the same. */
export const httpUrls: UrlSpelling = {
  noun: "URLs",
  check: checkPeerUrl,
  normalForm,
  secureScheme: "https:",
  isPlain: (url) => !url.toLowerCase().startsWith("https:"),
  hostOf: (url) => new URL(url).hostname,
};

/** Returns the URL as given, without a trailing slash. */
function checkPeerUrl(name: string, text: unknown): string {
  if (typeof text !== "string")
    throw invalidArgument(`${name} must be a URL, got ${describe(text)}`);
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw invalidArgument(
      `${name} must be a URL such as "http://node-1:8080", got ${describe(text)}`,
    );
  }
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    throw invalidArgument(`${name} must begin with http:// or https://, got ${describe(text)}`);
  }
  // The value is not shown because it contains a password.
  if (url.username !== "" || url.password !== "")
    throw invalidArgument(`${name} must not contain credentials`);
  if (url.search !== "" || url.hash !== "" || /[?#]/.test(text)) {
    throw invalidArgument(`${name} must not have a query or a fragment, got ${describe(text)}`);
  }
  if (url.pathname !== "/") {
    throw invalidArgument(`${name} must not have a path (use basePath), got ${describe(text)}`);
  }
  if (url.port === "0") {
    throw invalidArgument(`${name} must have a port from 1 to 65535, got ${describe(text)}`);
  }
  if (/\s/.test(text))
    throw invalidArgument(`${name} must not contain spaces, got ${describe(text)}`);
  return text.endsWith("/") ? text.slice(0, -1) : text;
}

/** Normalizes case and default port, so that two spellings of one address compare equal. */
function normalForm(id: string): string {
  return new URL(id).origin;
}

/** Returns `basePath` or its default. Throws `INVALID_ARGUMENT`. */
export function checkBasePath(basePath: string | undefined): string {
  if (basePath === undefined) return "/_groupcache/";
  const valid =
    typeof basePath === "string" &&
    /^\/(?:[A-Za-z0-9\-._~]+\/)*$/.test(basePath) &&
    !/\/\.{1,2}\//.test(basePath);
  if (!valid) {
    throw invalidArgument(
      `basePath must begin and end with "/" and contain only letters, digits and - . _ ~ / between, got ${describe(basePath)}`,
    );
  }
  return basePath;
}

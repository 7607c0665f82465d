import { describe, invalidArgument } from "@parsec/core/authoring";
import type { UrlSpelling } from "@parsec/core/transport";

/** Nodes are called by URLs such as `http://node-1:8080`. Their text is hashed by placement: all nodes must spell them alike. */
export const httpUrls: UrlSpelling = {
  noun: "URLs",
  check: checkPeerUrl,
  normalForm,
  secureScheme: "https:",
  isPlain: (url) => !url.toLowerCase().startsWith("https:"),
};

/** Returns the URL as it was given, without a slash at its end. */
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
  // Not shown, because what is wrong with it is a password.
  if (url.username !== "" || url.password !== "")
    throw invalidArgument(`${name} must not hold credentials`);
  if (url.search !== "" || url.hash !== "" || /[?#]/.test(text)) {
    throw invalidArgument(`${name} must not have a query or a fragment: ${describe(text)}`);
  }
  if (url.pathname !== "/") {
    throw invalidArgument(`${name} must not have a path; put it in basePath: ${describe(text)}`);
  }
  if (/\s/.test(text)) throw invalidArgument(`${name} must not hold spaces: ${describe(text)}`);
  return text.endsWith("/") ? text.slice(0, -1) : text;
}

/** The same for all spellings of one address: case of scheme and host, default port. */
function normalForm(id: string): string {
  return new URL(id).origin;
}

/** Returns the path under which peers are served. */
export function checkBasePath(basePath: string | undefined): string {
  if (basePath === undefined) return "/_groupcache/";
  const valid =
    typeof basePath === "string" &&
    /^\/(?:[A-Za-z0-9\-._~]+\/)*$/.test(basePath) &&
    !/\/\.{1,2}\//.test(basePath);
  if (!valid) {
    throw invalidArgument(
      `basePath must begin and end with "/" and hold only letters, digits and - . _ ~ between, got ${describe(basePath)}`,
    );
  }
  return basePath;
}

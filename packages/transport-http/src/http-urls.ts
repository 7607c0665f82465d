import { describe, invalidArgument } from "@parsec/core/authoring";
import { checkMembership as checkMembers, type Membership } from "@parsec/core/transport";

/**
 * Checks the URLs of a cluster. Their text, without a slash at the end, is what placement hashes, so
 * all nodes must spell each of them alike. Throws `INVALID_ARGUMENT` that names the option and the rule.
 */
export function checkMembership(given: {
  readonly selfUrl: string;
  readonly peerUrls: readonly string[] | undefined;
}): Membership {
  return checkMembers(given, { noun: "URLs", check: checkPeerUrl, normalForm });
}

/** Certificates have no effect on a connection without encryption, which would go unnoticed. */
export function checkSchemes(ids: readonly string[], tls: object | undefined): void {
  if (tls === undefined) return;
  const plain = ids.find((id) => !id.toLowerCase().startsWith("https:"));
  if (plain !== undefined) {
    throw invalidArgument(`tls is given, but ${describe(plain)} is not an https: URL`);
  }
}

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

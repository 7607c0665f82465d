import { describe, ParsecError } from "@parsec/core";

/** The members of a ring as this node sees them. */
export interface Membership {
  readonly selfId: string;
  /** Every node, this one included, in the order given. */
  readonly ids: readonly string[];
}

/**
 * Checks the URLs of a cluster. Their text, without a slash at the end, is what placement hashes, so
 * all nodes must spell each of them alike. Throws `INVALID_ARGUMENT` saying which one is wrong and why.
 */
export function checkMembership(
  selfUrl: string,
  peerUrls: readonly string[] | undefined,
): Membership {
  const selfId = checkPeerUrl("selfUrl", selfUrl);
  if (!Array.isArray(peerUrls)) {
    throw invalid(`peerUrls must be an array of URLs, not ${describe(peerUrls)}`);
  }
  const ids = peerUrls.map((url, index) => checkPeerUrl(`peerUrls[${index}]`, url));
  const byNormalForm = new Map<string, string>();
  for (const id of ids) {
    const earlier = byNormalForm.get(normalForm(id));
    if (earlier === id) throw invalid(`peerUrls lists ${describe(id)} twice`);
    if (earlier !== undefined) {
      throw invalid(`peerUrls lists one node as ${describe(earlier)} and as ${describe(id)}`);
    }
    byNormalForm.set(normalForm(id), id);
  }
  const listed = byNormalForm.get(normalForm(selfId));
  if (listed === undefined) {
    const all = ids.length === 0 ? "nothing" : ids.map(describe).join(", ");
    throw invalid(
      `selfUrl ${describe(selfId)} is not among peerUrls, which must list every node, this one included: ${all}`,
    );
  }
  if (listed !== selfId) {
    throw invalid(
      `selfUrl is spelled ${describe(selfId)} but peerUrls has ${describe(listed)}; the same text is needed, because it is what the ring hashes`,
    );
  }
  return { selfId, ids };
}

/** Returns the URL as it was given, without a slash at its end. */
function checkPeerUrl(name: string, text: unknown): string {
  if (typeof text !== "string") throw invalid(`${name} must be a URL, not ${describe(text)}`);
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw invalid(`${name} must be a URL such as "http://node-1:8080", not ${describe(text)}`);
  }
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    throw invalid(`${name} must begin with http:// or https://, not ${describe(text)}`);
  }
  // Not shown, because what is wrong with it is a password.
  if (url.username !== "" || url.password !== "")
    throw invalid(`${name} must not hold credentials`);
  if (url.search !== "" || url.hash !== "" || /[?#]/.test(text)) {
    throw invalid(`${name} must not have a query or a fragment: ${describe(text)}`);
  }
  if (url.pathname !== "/") {
    throw invalid(`${name} must not have a path; put it in basePath: ${describe(text)}`);
  }
  if (/\s/.test(text)) throw invalid(`${name} must not hold spaces: ${describe(text)}`);
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
    throw invalid(
      `basePath must begin and end with "/" and hold only letters, digits and - . _ ~ between, not ${describe(basePath)}`,
    );
  }
  return basePath;
}

function invalid(message: string): ParsecError {
  return new ParsecError("INVALID_ARGUMENT", message);
}

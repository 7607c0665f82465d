import {
  fetchProviderDocument,
  ProviderFetchError,
  type ProviderFetchOptions,
} from "./provider-document.ts";
import { unsafeKeyUrl } from "./provider-url.ts";

/**
 * Finds the URL of an issuer's keys: `jwks_uri` of its OpenID configuration, else of its RFC 8414
 * metadata. An issuer with neither document publishes its keys at `/.well-known/jwks.json`. Rejects with
 * `ProviderFetchError` when the provider is unavailable or a document is not acceptable.
 */
export async function discoverJwksUrl(issuer: string, options: ProviderFetchOptions): Promise<URL> {
  for (const url of metadataUrls(issuer)) {
    const document = await fetchIfPresent(url, options);
    const { issuer: named, jwks_uri: keys } = (document ?? {}) as {
      issuer?: unknown;
      jwks_uri?: unknown;
    };
    // Some servers answer any path with a page of their own.
    if (typeof keys !== "string") continue;
    if (named !== issuer) {
      throw new ProviderFetchError(url, { reason: `issuer of the document must be ${issuer}` });
    }
    return checkDiscovered(url, keys);
  }
  return wellKnown(issuer, "jwks.json");
}

/** OpenID Connect Discovery §4 appends the well-known part to the issuer; RFC 8414 §3.1 inserts it before the path. */
function metadataUrls(issuer: string): readonly URL[] {
  const { origin, pathname } = new URL(issuer);
  const path = pathname.replace(/\/$/, "");
  return [
    wellKnown(issuer, "openid-configuration"),
    new URL(`${origin}/.well-known/oauth-authorization-server${path}`),
  ];
}

function wellKnown(issuer: string, document: string): URL {
  return new URL(`${issuer.replace(/\/$/, "")}/.well-known/${document}`);
}

/** Undefined when the provider is there, but has no such document. */
async function fetchIfPresent(url: URL, options: ProviderFetchOptions): Promise<unknown> {
  try {
    return await fetchProviderDocument(url, options);
  } catch (reason) {
    const status = reason instanceof ProviderFetchError ? reason.status : undefined;
    const isAbsent = status !== undefined && status < 500 && status !== 429;
    if (isAbsent && !options.signal.aborted) return undefined;
    throw reason;
  }
}

function checkDiscovered(document: URL, keys: string): URL {
  const url = URL.canParse(keys) ? new URL(keys) : undefined;
  const problem = url === undefined ? "must be an absolute URL" : unsafeKeyUrl(url);
  if (url !== undefined && problem === undefined) {
    // A provider that is reached by https must not send us to unencrypted keys, not even on this host.
    if (url.protocol === document.protocol || url.protocol === "https:") return url;
  }
  throw new ProviderFetchError(document, {
    reason: `jwks_uri ${problem ?? "must be an https URL"}`,
  });
}

import { createLocalJWKSet, type JSONWebKeySet } from "jose";

/** Limits of one fetch of a key set. */
export interface JwksFetchOptions {
  readonly timeoutMs: number;
  readonly maxBytes: number;
  /** Fires when the source is closed. */
  readonly signal: AbortSignal;
}

/** Selects keys of one fetched set (jose's resolver). */
export type KeyResolver = ReturnType<typeof createLocalJWKSet>;

/**
 * Fetches and parses a key set. Does not follow redirects, because keys must come from the configured
 * URL. Rejects with the error of the failing step.
 */
export async function fetchJwks(url: URL, options: JwksFetchOptions): Promise<KeyResolver> {
  const response = await fetch(url, {
    headers: { accept: "application/jwk-set+json, application/json" },
    redirect: "error",
    signal: AbortSignal.any([options.signal, AbortSignal.timeout(options.timeoutMs)]),
  });
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new Error(`status ${response.status}`);
  }
  const text = await readText(response, options.maxBytes);
  return createLocalJWKSet(JSON.parse(text) as JSONWebKeySet);
}

async function readText(response: Response, maxBytes: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  // Leaving the loop early cancels the body, which frees the socket.
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > maxBytes) throw new Error(`the key set must have at most ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

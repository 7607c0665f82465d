import { loggableUrl } from "./provider-url.ts";

/** Limits of one fetch from an identity provider. */
export interface ProviderFetchOptions {
  readonly timeoutMs: number;
  readonly maxBytes: number;
  /** Fires when the source is closed. */
  readonly signal: AbortSignal;
}

/** A failed fetch. The message has the URL without credentials and query, and the reason. */
export class ProviderFetchError extends Error {
  /** The status of the response; undefined without one. */
  readonly status: number | undefined;

  constructor(
    url: URL,
    failure: { readonly reason: string; readonly status?: number; readonly cause?: unknown },
  ) {
    super(`${loggableUrl(url)}: ${failure.reason}`, { cause: failure.cause });
    this.name = "ProviderFetchError";
    this.status = failure.status;
  }
}

/**
 * Fetches and parses a JSON document. Does not follow redirects, because keys must come from the
 * configured provider. Rejects with {@link ProviderFetchError}.
 */
export async function fetchProviderDocument(
  url: URL,
  options: ProviderFetchOptions,
): Promise<unknown> {
  const { timeoutMs } = options;
  let status: number | undefined;
  try {
    const response = await fetch(url, {
      headers: { accept: "application/json, application/jwk-set+json" },
      redirect: "manual",
      signal: AbortSignal.any([options.signal, AbortSignal.timeout(timeoutMs)]),
    });
    status = response.status;
    if (status !== 200) {
      await response.body?.cancel();
      const hint = status >= 300 && status < 400 ? " (redirects are not followed)" : "";
      throw new ProviderFetchError(url, { reason: `status ${status}${hint}`, status });
    }
    return JSON.parse(await readText(url, response, options.maxBytes));
  } catch (cause) {
    if (cause instanceof ProviderFetchError) throw cause;
    const reason = describeFailure(cause, timeoutMs);
    throw new ProviderFetchError(url, {
      reason,
      cause,
      ...(status === undefined ? {} : { status }),
    });
  }
}

async function readText(url: URL, response: Response, maxBytes: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  // Leaving the loop early cancels the body, which frees the socket.
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > maxBytes) {
      throw new ProviderFetchError(url, { reason: `must have at most ${maxBytes} bytes` });
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** The text of a failure, without the content of the response, which may be of any kind. */
function describeFailure(failure: unknown, timeoutMs: number): string {
  if (failure instanceof SyntaxError) return "not JSON";
  if (!(failure instanceof Error)) return "fetch failed";
  if (failure.name === "TimeoutError") return `no complete response within ${timeoutMs} ms`;
  const { code, message } = (failure.cause ?? failure) as { code?: unknown; message?: unknown };
  return typeof code === "string" ? code : String(message);
}

/** An answer with its JSON body. */
export interface JsonAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: unknown;
}

export async function ask(url: string, init: RequestInit = {}): Promise<JsonAnswer> {
  const response = await fetch(url, { signal: AbortSignal.timeout(30_000), ...init });
  const text = await response.text();
  const body: unknown = text === "" ? undefined : JSON.parse(text);
  return { status: response.status, headers: response.headers, body };
}

export function set(
  nodeUrl: string,
  key: string,
  value: string,
  ttl?: number,
): Promise<JsonAnswer> {
  return post(nodeUrl, JSON.stringify({ key, value, ttl }));
}

/** Sends `POST /set` with any body. */
export function post(
  nodeUrl: string,
  body: string | Uint8Array<ArrayBuffer>,
  headers: Readonly<Record<string, string>> = {},
): Promise<JsonAnswer> {
  return ask(`${nodeUrl}/set`, {
    method: "POST",
    body,
    headers: { "content-type": "application/json", ...headers },
  });
}

export function get(nodeUrl: string, key: string): Promise<JsonAnswer> {
  return ask(`${nodeUrl}/get?key=${encodeURIComponent(key)}`);
}

export function remove(nodeUrl: string, key: string): Promise<JsonAnswer> {
  return ask(`${nodeUrl}/delete?key=${encodeURIComponent(key)}`, { method: "DELETE" });
}

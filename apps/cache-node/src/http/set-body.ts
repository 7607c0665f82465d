import { cacheLimits } from "../cache/cache-limits.ts";
import { checkKey, checkValue } from "./cache-key.ts";
import { invalidRequest } from "./request-refusal.ts";
import { utf8Text } from "./utf8-text.ts";

/** The body of `POST /set`. */
export interface SetBody {
  readonly key: string;
  readonly value: string;
  /** 0 for no expiry. */
  readonly ttlSeconds: number;
}

const fields: ReadonlySet<string> = new Set(["key", "value", "ttl"]);

/** Reads `{"key": "…", "value": "…", "ttl": 0}`. Throws a refusal that names the field. */
export function parseSetBody(bytes: Uint8Array): SetBody {
  const body = parseJson(bytes);
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    throw invalidRequest('the body must be an object: {"key": "…", "value": "…", "ttl": 0}');
  }
  for (const name of Object.keys(body)) {
    if (!fields.has(name)) throw invalidRequest(`unknown field ${JSON.stringify(name)}`);
  }
  const { key, value, ttl = 0 } = body as { key?: unknown; value?: unknown; ttl?: unknown };
  if (typeof key !== "string") throw invalidRequest("key must be a string");
  if (typeof value !== "string") throw invalidRequest("value must be a string");
  const { maxTtlSeconds } = cacheLimits;
  if (!Number.isInteger(ttl) || (ttl as number) < 0 || (ttl as number) > maxTtlSeconds) {
    throw invalidRequest(`ttl must be whole seconds from 0 to ${maxTtlSeconds}`);
  }
  return { key: checkKey(key), value: checkValue(value), ttlSeconds: ttl as number };
}

function parseJson(bytes: Uint8Array): unknown {
  const text = utf8Text(bytes);
  if (text === undefined) throw invalidRequest("the body must be UTF-8");
  try {
    return JSON.parse(text);
  } catch {
    // The parser's message would repeat the body.
    throw invalidRequest("the body must be JSON");
  }
}

import { cacheLimits } from "../cache/cache-limits.ts";
import { invalidRequest, RequestRefusal } from "./request-refusal.ts";

/** A lone surrogate cannot be encoded in UTF-8: two different ones would be the same key. */
const loneSurrogate = /\p{Surrogate}/u;

/** Checks the key of a request: any string, including NUL, that is not empty and not too long. */
export function checkKey(key: string): string {
  if (key === "") throw invalidRequest("key must not be empty");
  if (loneSurrogate.test(key)) throw invalidRequest("key must be well-formed Unicode");
  const { maxKeyBytes } = cacheLimits;
  const bytes = Buffer.byteLength(key);
  if (bytes <= maxKeyBytes) return key;
  const message = `key must be at most ${maxKeyBytes} bytes, got ${bytes}`;
  throw new RequestRefusal(413, { code: "KEY_TOO_LARGE", message });
}

/** Checks the value of a request: a string that is returned unchanged. */
export function checkValue(value: string): string {
  if (loneSurrogate.test(value)) throw invalidRequest("value must be well-formed Unicode");
  const { maxValueBytes } = cacheLimits;
  const bytes = Buffer.byteLength(value);
  if (bytes <= maxValueBytes) return value;
  const message = `value must be at most ${maxValueBytes} bytes, got ${bytes}`;
  throw new RequestRefusal(413, { code: "VALUE_TOO_LARGE", message });
}

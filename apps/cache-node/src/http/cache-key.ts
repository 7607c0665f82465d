import { cacheLimits } from "../cache/cache-limits.ts";
import { invalidRequest, RequestRefusal } from "./request-refusal.ts";

/** Half a surrogate pair is no text that UTF-8 can hold: two different ones would be the same key. */
const loneSurrogate = /\p{Surrogate}/u;

/** Checks the key of a request. Any text will do, NUL included, as long as it is not empty or too long. */
export function checkKey(key: string): string {
  if (key === "") throw invalidRequest("the key must not be empty");
  if (loneSurrogate.test(key)) throw invalidRequest("the key is no well-formed Unicode text");
  const { maxKeyBytes } = cacheLimits;
  const bytes = Buffer.byteLength(key);
  if (bytes <= maxKeyBytes) return key;
  const message = `the key has ${bytes} bytes, ${maxKeyBytes} are allowed`;
  throw new RequestRefusal(413, { code: "KEY_TOO_LARGE", message });
}

/** Checks the value of a request: text, which is given back just as it came. */
export function checkValue(value: string): string {
  if (loneSurrogate.test(value)) throw invalidRequest("the value is no well-formed Unicode text");
  const { maxValueBytes } = cacheLimits;
  const bytes = Buffer.byteLength(value);
  if (bytes <= maxValueBytes) return value;
  const message = `the value has ${bytes} bytes, ${maxValueBytes} are allowed`;
  throw new RequestRefusal(413, { code: "VALUE_TOO_LARGE", message });
}

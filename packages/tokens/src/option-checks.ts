import { ParsecError } from "@parsec/core";

/** Returns `value`, or throws `INVALID_ARGUMENT` when it is no string or has nothing in it. */
export function checkText(name: string, value: unknown): string {
  if (typeof value !== "string" || value === "") {
    throw invalidOption(name, "must be a string with something in it");
  }
  return value;
}

/** Parses an absolute http or https URL without fragment, or throws `INVALID_ARGUMENT`. */
export function checkHttpUrl(name: string, value: string | URL): URL {
  const url = URL.canParse(String(value)) ? new URL(value) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.hash !== "") {
    throw invalidOption(name, "must be an absolute http or https URL without a fragment");
  }
  return url;
}

/** The error every `resolveX` of this package throws. */
export function invalidOption(name: string, rule: string): ParsecError {
  return new ParsecError("INVALID_ARGUMENT", `${name} ${rule}`);
}

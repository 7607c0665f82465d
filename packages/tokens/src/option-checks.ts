import { describe, invalidArgument } from "@parsec/core/authoring";

/** Returns `value`, or throws `INVALID_ARGUMENT` unless it is a non-empty string. */
export function checkText(name: string, value: unknown): string {
  if (typeof value === "string" && value !== "") return value;
  throw invalidArgument(`${name} must be a non-empty string, got ${describe(value)}`);
}

/** Parses an absolute http or https URL without fragment, or throws `INVALID_ARGUMENT`. */
export function checkHttpUrl(name: string, value: string | URL): URL {
  const url = URL.canParse(String(value)) ? new URL(value) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.hash !== "") {
    throw invalidArgument(
      `${name} must be an absolute http or https URL without a fragment, got ${describe(String(value))}`,
    );
  }
  return url;
}

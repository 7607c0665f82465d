import { invalidArgument } from "@parsec/core/authoring";
import { checkHttpUrl } from "../option-checks.ts";

const loopbackHost = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;

/** Why keys must not be fetched from this URL; undefined when they may be. */
export function unsafeKeyUrl(url: URL): string | undefined {
  if (url.username !== "" || url.password !== "") return "must not contain credentials";
  if (url.protocol === "https:") return undefined;
  if (url.protocol === "http:" && loopbackHost.test(url.hostname)) return undefined;
  return "must be an https URL (http only on loopback), because anyone on the way could replace the keys";
}

/** Parses the URL of an option from which keys are fetched. Throws `INVALID_ARGUMENT` for one that is not safe. */
export function checkKeyUrl(name: string, value: string | URL): URL {
  const url = checkHttpUrl(name, value);
  const problem = unsafeKeyUrl(url);
  if (problem !== undefined) throw invalidArgument(`${name} ${problem}, got ${loggableUrl(url)}`);
  return url;
}

/** The URL without user, password and query, which may be secret. */
export function loggableUrl(url: URL): string {
  return url.origin + url.pathname;
}

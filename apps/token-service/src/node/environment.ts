import type { ParsecError } from "@parsec/core";
import { invalidArgument } from "@parsec/core/authoring";

/** Environment variables. An empty one counts as absent. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The trimmed value; undefined when absent or empty. */
export function optionalVariable(env: Environment, name: string): string | undefined {
  return env[name]?.trim() || undefined;
}

/** The trimmed value. Throws `INVALID_ARGUMENT` with the purpose of the variable when it is absent. */
export function requiredVariable(env: Environment, name: string, purpose: string): string {
  const value = optionalVariable(env, name);
  if (value === undefined) throw invalidVariable(name, `must be set: ${purpose}`);
  return value;
}

/** A whole number within the limits. Throws `INVALID_ARGUMENT` with the variable and the limits. */
export function numberVariable(
  env: Environment,
  name: string,
  limits: { readonly fallback: number; readonly min: number; readonly max: number },
): number {
  const text = optionalVariable(env, name);
  if (text === undefined) return limits.fallback;
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= limits.min && value <= limits.max)) {
    const rule = `must be a whole number from ${limits.min} to ${limits.max}, got "${text}"`;
    throw invalidVariable(name, rule);
  }
  return value;
}

/** A comma-separated list without its empty items. */
export function listVariable(env: Environment, name: string): readonly string[] {
  return (env[name] ?? "")
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "");
}

/** Returns `text` if it is an absolute URL with one of the schemes. Throws `INVALID_ARGUMENT`. */
export function checkUrl(name: string, text: string, schemes: readonly string[]): string {
  // The value is not shown, because a database URL contains a password.
  if (!URL.canParse(text) || !schemes.includes(new URL(text).protocol)) {
    const allowed = schemes.map((scheme) => `${scheme}//`).join(" or ");
    throw invalidVariable(name, `must be a URL that begins with ${allowed}`);
  }
  return text;
}

/** The `INVALID_ARGUMENT` error for a variable that violates a rule. */
export function invalidVariable(name: string, rule: string): ParsecError {
  return invalidArgument(`${name} ${rule}`);
}

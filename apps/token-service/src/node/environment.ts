import { ParsecError } from "@parsec/core";

/** Environment variables; an empty one counts as absent. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The value without surrounding blanks; undefined when absent or empty. */
export function optionalVariable(env: Environment, name: string): string | undefined {
  return env[name]?.trim() || undefined;
}

/** Throws `INVALID_ARGUMENT` saying what the variable is for when it is absent. */
export function requiredVariable(env: Environment, name: string, purpose: string): string {
  const value = optionalVariable(env, name);
  if (value === undefined) throw invalidVariable(name, `must be set: ${purpose}`);
  return value;
}

/** A whole number within the limits. Throws `INVALID_ARGUMENT` naming both. */
export function numberVariable(
  env: Environment,
  name: string,
  limits: { readonly fallback: number; readonly min: number; readonly max: number },
): number {
  const text = optionalVariable(env, name);
  if (text === undefined) return limits.fallback;
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= limits.min && value <= limits.max)) {
    const rule = `must be a whole number from ${limits.min} to ${limits.max}`;
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

/** An absolute URL of one of the schemes, as written. Throws `INVALID_ARGUMENT`. */
export function checkUrl(name: string, text: string, schemes: readonly string[]): string {
  // The text is not repeated: a database URL holds a password.
  if (!URL.canParse(text) || !schemes.includes(new URL(text).protocol)) {
    const allowed = schemes.map((scheme) => `${scheme}//`).join(" or ");
    throw invalidVariable(name, `must be a URL that begins with ${allowed}`);
  }
  return text;
}

/** The error of a variable with a wrong value. The rule says what is allowed. */
export function invalidVariable(name: string, rule: string): ParsecError {
  return new ParsecError("INVALID_ARGUMENT", `${name} ${rule}`);
}

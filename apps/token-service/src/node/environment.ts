import { readFileSync } from "node:fs";
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

/** A secret of the environment. */
export interface SecretVariable {
  readonly value: string;
  /** The variable that set it, with the file if it was read from one; for error messages. */
  readonly source: string;
}

/**
 * The trimmed value of the variable, or the trimmed content of the file that `<name>_FILE` names, as
 * container platforms mount secrets; undefined when both are absent. Throws `INVALID_ARGUMENT` when both
 * are set, and when the file cannot be read.
 */
export function secretVariable(env: Environment, name: string): SecretVariable | undefined {
  const value = optionalVariable(env, name);
  const path = optionalVariable(env, `${name}_FILE`);
  if (path === undefined) return value === undefined ? undefined : { value, source: name };
  if (value !== undefined) throw invalidVariable(`${name}_FILE`, `must not be set with ${name}`);
  const source = `${name}_FILE (${path})`;
  let text: string;
  try {
    text = readFileSync(path, "utf8").trim();
  } catch (reason) {
    const { code } = reason as { readonly code?: unknown };
    throw invalidVariable(source, `must be a readable file: ${String(code)}`);
  }
  if (text === "") throw invalidVariable(source, "must not be empty");
  return { value: text, source };
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

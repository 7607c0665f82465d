import { ParsecError } from "./errors.ts";

const shortestSecret = 16;

/** Checks a numeric option: returns it, or `fallback` when absent. Throws `INVALID_ARGUMENT` when it is outside the range. */
export function numberOption(
  name: string,
  limits: {
    readonly given: number | undefined;
    readonly fallback: number;
    readonly min: number;
    readonly max: number;
  },
): number {
  const { given, fallback, min, max } = limits;
  if (given === undefined) return fallback;
  if (typeof given !== "number" || Number.isNaN(given) || given < min || given > max) {
    throw invalidArgument(`${name} must be a number from ${min} to ${max}, got ${describe(given)}`);
  }
  return given;
}

/** Default, minimum and maximum of a numeric option. */
export type NumberRange = readonly [fallback: number, min: number, max: number];

/** Like {@link numberOption}, with the limits as a tuple. Throws `INVALID_ARGUMENT` when the number is outside the range. */
export function rangeOption(
  name: string,
  given: number | undefined,
  [fallback, min, max]: NumberRange,
): number {
  return numberOption(name, { given, fallback, min, max });
}

/** Like {@link rangeOption}, for integers. Throws `INVALID_ARGUMENT` for a fraction or a number outside the range. */
export function wholeOption(name: string, given: number | undefined, range: NumberRange): number {
  const value = rangeOption(name, given, range);
  if (Number.isInteger(value)) return value;
  throw invalidArgument(`${name} must be a whole number, got ${value}`);
}

/** Checks an option with fixed values: returns it, or the first choice when absent. Throws `INVALID_ARGUMENT` for any other value. */
export function choiceOption<Choice extends string>(
  name: string,
  limits: { readonly given: Choice | undefined; readonly choices: readonly [Choice, ...Choice[]] },
): Choice {
  const { given, choices } = limits;
  if (given === undefined) return choices[0];
  if (!choices.includes(given)) {
    const listed = choices.map((choice) => `"${choice}"`).join(" or ");
    throw invalidArgument(`${name} must be ${listed}, got ${describe(given)}`);
  }
  return given;
}

/** Checks a `secret` option: returns none, one or several secrets. Throws `INVALID_ARGUMENT` when one is shorter than 16 characters. */
export function secretsOption(secret: string | readonly string[] | undefined): readonly string[] {
  if (secret === undefined) return [];
  const secrets = typeof secret === "string" ? [secret] : secret;
  if (!Array.isArray(secrets) || secrets.length === 0) {
    throw invalidArgument("secret must be a string or a non-empty array of strings");
  }
  for (const one of secrets) {
    if (typeof one === "string" && one.length >= shortestSecret) continue;
    throw invalidArgument(`secret must have at least ${shortestSecret} characters`);
  }
  return secrets;
}

/** Throws `INVALID_ARGUMENT` naming the option unless the value is a function. */
export function functionOption(name: string, given: unknown): void {
  if (typeof given === "function") return;
  throw invalidArgument(`${name} must be a function, got ${describe(given)}`);
}

/** Throws `INVALID_ARGUMENT` unless the value is an AbortSignal, which may come from another realm. */
export function signalOption(given: unknown): void {
  if (typeof (given as Partial<AbortSignal>).addEventListener === "function") return;
  throw invalidArgument(`signal must be an AbortSignal, got ${describe(given)}`);
}

/** Creates an `INVALID_ARGUMENT` error. Start the message with the option, state the rule, then the value: `ttlMs must be …, got -1`. */
export function invalidArgument(message: string): ParsecError {
  return new ParsecError("INVALID_ARGUMENT", message);
}

/** Formats a value for an error message: strings are cut at 64 characters, and contents of objects never appear. */
export function describe(value: unknown): string {
  if (typeof value === "string")
    return JSON.stringify(value.length > 64 ? `${value.slice(0, 64)}…` : value);
  if (typeof value === "object" && value !== null)
    return Array.isArray(value) ? "an array" : "an object";
  return typeof value === "function" ? "a function" : String(value);
}

/** The fields of an options object, for {@link knownOptions}. The type makes the list complete. */
export type OptionNames<Options> = { readonly [Name in keyof Required<Options>]: 1 };

/**
 * Throws `INVALID_ARGUMENT` for a field that `owner`, such as `createHttpPeers`, does not know, and names the
 * nearest one. Checks own enumerable fields with a string name and a value other than undefined.
 */
export function knownOptions<Options extends object>(
  owner: string,
  given: Options,
  names: OptionNames<Options>,
): void {
  if (typeof given !== "object" || given === null) {
    throw invalidArgument(`options must be an object, got ${describe(given)} (${owner})`);
  }
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined || Object.hasOwn(names, name)) continue;
    const known = Object.keys(names);
    const near = nearestName(name, known);
    const hint = near === undefined ? `options: ${known.join(", ")}` : `did you mean ${near}?`;
    const spelled = /^[\w$]{1,64}$/.test(name) ? name : describe(name);
    throw invalidArgument(`${spelled} is not an option of ${owner}; ${hint}`);
  }
}

/** The name most similar to a misspelled one; undefined when none is similar. */
export function nearestName(given: string, names: readonly string[]): string | undefined {
  const wanted = plainName(given);
  let nearest: string | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const name of names) {
    const plain = plainName(name);
    let start = 0;
    while (start < plain.length && plain[start] === wanted[start]) start++;
    const edits = editDistance(wanted, plain);
    const similar = start >= 3 || edits * 5 <= Math.max(plain.length, wanted.length) * 2;
    if (!similar || edits - start >= least) continue;
    least = edits - start;
    nearest = name;
  }
  return nearest;
}

function plainName(name: string): string {
  return name
    .slice(0, 64)
    .toLowerCase()
    .replace(/[^a-z0-9]/g, "");
}

/** Levenshtein distance. */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (const [index, character] of [...from].entries()) {
    const next = [index + 1];
    for (let at = 0; at < to.length; at++) {
      const replaced = (row[at] as number) + (character === to[at] ? 0 : 1);
      next.push(Math.min(replaced, (row[at + 1] as number) + 1, (next[at] as number) + 1));
    }
    row = next;
  }
  return row[to.length] as number;
}

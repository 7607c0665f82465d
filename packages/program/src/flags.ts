import type { ParsecError } from "@parsec/core";
import { invalidArgument } from "@parsec/core/authoring";
import { nearestName } from "./nearest-name.ts";

/** One flag of a command. */
export interface Flag {
  /** Placeholder of its value in the help, such as `<port>`. Absent for a flag without value. */
  readonly value?: string;
  /** Description in the help. */
  readonly help: string;
}

/** The flags given on the command line. A flag without value has the value "true". */
export type GivenFlags<Name extends string> = { readonly [name in Name]?: string };

/** Options of `parseFlags`. */
export interface FlagSyntax {
  /** Accepts `-name` as well as `--name`; values must then not begin with a dash. Defaults to false. */
  readonly singleDash?: boolean;
}

/**
 * Parses `--name value` and `--name=value`. Throws `INVALID_ARGUMENT` for an unknown flag, with the
 * nearest known one, and for a missing value, a repeated flag or an argument that is not a flag.
 */
export function parseFlags<Name extends string>(
  args: readonly string[],
  flags: Readonly<Record<Name, Flag>>,
  { singleDash = false }: FlagSyntax = {},
): GivenFlags<Name> {
  const pattern = singleDash ? /^--?([^-=][^=]*)(?:=(.*))?$/s : /^--([^-=][^=]*)(?:=(.*))?$/s;
  const dash = singleDash ? "-" : "--";
  const given: Record<string, string> = {};
  const rest = [...args];
  for (let arg = rest.shift(); arg !== undefined; arg = rest.shift()) {
    // Package managers separate their own arguments by "--", and some pass it on.
    if (arg === "--") continue;
    const [, name = "", inline] = pattern.exec(arg) ?? [];
    const flag = Object.hasOwn(flags, name) ? flags[name as Name] : undefined;
    if (flag === undefined) throw unknownArgument(arg, name, Object.keys(flags));
    if (Object.hasOwn(given, name)) throw invalidArgument(`--${name} must be given only once`);
    if (flag.value === undefined) {
      if (inline !== undefined) throw invalidArgument(`--${name} must not have a value`);
      given[name] = "true";
    } else {
      const value = inline ?? rest.shift();
      if (value === undefined || value === "" || value.startsWith(dash)) {
        throw invalidArgument(`--${name} must have a value: --${name} ${flag.value}`);
      }
      given[name] = value;
    }
  }
  return given as GivenFlags<Name>;
}

/** The list of flags for a help text. */
export function describeFlags(flags: Readonly<Record<string, Flag>>): string {
  const rows = Object.entries(flags).map(([name, { value, help }]) => ({
    usage: `--${name}${value === undefined ? "" : ` ${value}`}`,
    help,
  }));
  const width = Math.max(...rows.map((row) => row.usage.length));
  return rows.map((row) => `  ${row.usage.padEnd(width)}  ${row.help}`).join("\n");
}

/** Parses a port from 0 to 65535. Throws `INVALID_ARGUMENT` that begins with `name`. */
export function parsePort(name: string, text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (!(port <= 65_535))
    throw invalidArgument(`${name} must be a port from 0 to 65535, got "${text}"`);
  return port;
}

function unknownArgument(arg: string, name: string, known: readonly string[]): ParsecError {
  if (name === "") {
    return invalidArgument(`"${arg}" is not a flag; flags begin with --, see --help`);
  }
  const nearest = nearestName(name, known);
  const hint = nearest === undefined ? "see --help" : `did you mean --${nearest}?`;
  return invalidArgument(`there is no flag --${name}; ${hint}`);
}

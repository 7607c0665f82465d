import { ParsecError } from "@parsec/core";
import { nearestName } from "./nearest-name.ts";

/** One flag of a command. */
export interface Flag {
  /** What stands for its value in the help, such as `<port>`. Absent: the flag takes none. */
  readonly value?: string;
  readonly help: string;
}

/** What was given on the command line; a flag without value counts as "true". */
export type GivenFlags<Name extends string> = { readonly [name in Name]?: string };

export interface FlagSyntax {
  /** `-name` does as well as `--name`; no value may begin with a dash then. Default: false. */
  readonly singleDash?: boolean;
}

/**
 * Reads `--name value` and `--name=value`. Throws `INVALID_ARGUMENT` for an unknown flag, naming the
 * nearest known one, for a missing value, a repetition and for anything that is no flag.
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
    // Package managers put "--" between their own arguments and ours, and some hand it on.
    if (arg === "--") continue;
    const [, name = "", inline] = pattern.exec(arg) ?? [];
    const flag = Object.hasOwn(flags, name) ? flags[name as Name] : undefined;
    if (flag === undefined) throw unknownArgument(arg, name, Object.keys(flags));
    if (Object.hasOwn(given, name)) throw usage(`--${name} is given twice`);
    if (flag.value === undefined) {
      if (inline !== undefined) throw usage(`--${name} takes no value`);
      given[name] = "true";
    } else {
      const value = inline ?? rest.shift();
      if (value === undefined || value === "" || value.startsWith(dash)) {
        throw usage(`--${name} needs a value: --${name} ${flag.value}`);
      }
      given[name] = value;
    }
  }
  return given as GivenFlags<Name>;
}

/** The flags as a help text lists them. */
export function describeFlags(flags: Readonly<Record<string, Flag>>): string {
  const rows = Object.entries(flags).map(([name, { value, help }]) => ({
    usage: `--${name}${value === undefined ? "" : ` ${value}`}`,
    help,
  }));
  const width = Math.max(...rows.map((row) => row.usage.length));
  return rows.map((row) => `  ${row.usage.padEnd(width)}  ${row.help}`).join("\n");
}

/** A port, 0 included. Throws `INVALID_ARGUMENT` naming `name`. */
export function parsePort(name: string, text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (!(port <= 65_535)) throw usage(`${name} must be a port from 0 to 65535, got "${text}"`);
  return port;
}

function unknownArgument(arg: string, name: string, known: readonly string[]): ParsecError {
  if (name === "") return usage(`"${arg}" is not understood; flags begin with --, see --help`);
  const nearest = nearestName(name, known);
  const hint = nearest === undefined ? "see --help" : `did you mean --${nearest}?`;
  return usage(`there is no flag --${name}; ${hint}`);
}

function usage(message: string): ParsecError {
  return new ParsecError("INVALID_ARGUMENT", message);
}

import { describe, invalidArgument } from "../../option-checks.ts";

/** Checks an option that is either `true` or absent. Throws `INVALID_ARGUMENT` for any other value. */
export function flagOption(name: string, given: true | undefined): boolean {
  if (given !== undefined && given !== true) {
    throw invalidArgument(`${name} must be true or left out, got ${describe(given)}`);
  }
  return given === true;
}

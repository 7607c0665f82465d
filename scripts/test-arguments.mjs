/**
 * Splits the arguments for vitest into what selects test files and whether vitest stays and watches.
 *
 * @param {readonly string[]} args
 * @returns {Promise<{ filters: readonly string[], isWatching: boolean }>}
 */
export async function parseTestArguments(args) {
  if (!args.some((arg) => arg.startsWith("-"))) return { filters: args, isWatching: false };
  // Here, because loading it takes a while, and only it knows which flags have a value.
  const { parseCLI } = await import("vitest/node");
  const { filter, options } = parseCLI(["vitest", ...args], { allowUnknownOptions: true });
  return { filters: filter, isWatching: options.watch === true };
}

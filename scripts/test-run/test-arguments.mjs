/**
 * Reads from the arguments for vitest which test files they select, and whether vitest watches.
 *
 * @param {readonly string[]} args
 * @returns {Promise<{ filters: readonly string[], isWatching: boolean }>}
 */
export async function parseTestArguments(args) {
  if (!args.some((arg) => arg.startsWith("-"))) return { filters: args, isWatching: false };
  // Loaded on demand: it takes 150 ms, and only vitest knows which of its flags have a value.
  const { parseCLI } = await import("vitest/node");
  const { filter, options } = parseCLI(["vitest", ...args], { allowUnknownOptions: true });
  return { filters: filter, isWatching: options.watch === true };
}

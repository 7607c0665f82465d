import { isParsecError } from "@parsec/core";

/** Exit code for invalid flags and configuration, as in most Unix tools. */
const usageExitCode = 2;

/**
 * Runs a program's main function. An error becomes one line on stderr and exit code 2 for
 * `INVALID_ARGUMENT`, which the user can correct by flags or variables, else 1.
 */
export async function runMain(name: string, main: () => Promise<void>): Promise<void> {
  try {
    await main();
  } catch (reason) {
    const message = reason instanceof Error ? reason.message : String(reason);
    process.stderr.write(`${name}: ${message}\n`);
    const isUsage = isParsecError(reason) && reason.code === "INVALID_ARGUMENT";
    process.exit(isUsage ? usageExitCode : 1);
  }
}

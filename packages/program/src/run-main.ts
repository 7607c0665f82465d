import { isParsecError } from "@parsec/core";

/** Bad flags and configuration, as most Unix tools have it. */
const usageExitCode = 2;

/**
 * Runs a program's main function. What goes wrong at the start becomes one line on stderr: exit code
 * 2 when the user can mend it by other flags or variables, else 1.
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

// Builds the named packages and what they import, or all, and prints nothing but progress and failures.
import { interruptible } from "./processes/interruptible.mjs";
import { buildQuietly } from "./processes/quiet-build.mjs";

const { signal } = interruptible();
const isBuilt = await buildQuietly({ signal, packages: process.argv.slice(2) });
if (!isBuilt && !signal.aborted) process.exitCode = 1;

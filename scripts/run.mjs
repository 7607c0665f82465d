// Builds a package, then runs a program of it in this process: `node scripts/run.mjs apps/x/dist/main.js`.
// `pnpm start`, `pnpm demo` and the examples use it. Further arguments go to the program.
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { interruptible } from "./processes/interruptible.mjs";
import { buildQuietly } from "./processes/quiet-build.mjs";

const [, , program = "", ...args] = process.argv;
const folder = program.replace(/\/dist\/.*$/, "");
const url = new URL(`../${program}`, import.meta.url);
/** @type {{ name: string }} */
const { name } = JSON.parse(
  await readFile(new URL(`../${folder}/package.json`, import.meta.url), "utf8"),
);

const { signal, release } = interruptible();
const isBuilt = await buildQuietly({ signal, packages: [name] });
// Ctrl-C is not a failure: with another code, pnpm prints an error.
if (signal.aborted) process.exit(0);
if (!isBuilt) process.exit(1);
release();
process.argv = [process.execPath, fileURLToPath(url), ...args];
await import(url.href);

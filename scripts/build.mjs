// Builds the named packages and what they import, or all, and prints nothing but failures: what
// `pnpm start`, `pnpm demo` and `pnpm bench` run first.
import { buildQuietly } from "./quiet-build.mjs";

const interrupt = new AbortController();
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(name, () => interrupt.abort());

process.exitCode = (await buildQuietly({
  signal: interrupt.signal,
  packages: process.argv.slice(2),
}))
  ? 0
  : 1;

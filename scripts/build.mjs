// Builds every package and prints nothing but failures: what `pnpm start` and `pnpm demo` run first.
import { buildQuietly } from "./quiet-build.mjs";

const interrupt = new AbortController();
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(name, () => interrupt.abort());

process.exitCode = (await buildQuietly({ signal: interrupt.signal })) ? 0 : 1;

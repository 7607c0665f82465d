// Runs turbo with this repository's environment: node scripts/turbo.mjs run build
import { runChildGroup } from "./child-group.mjs";
import { turboCommand } from "./turbo-command.mjs";

const interrupt = new AbortController();
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(name, () => interrupt.abort());

const { command, args, env } = turboCommand(process.argv.slice(2));
const { code } = await runChildGroup(command, args, { env, signal: interrupt.signal });
process.exit(code);

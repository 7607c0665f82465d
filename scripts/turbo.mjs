// Runs turbo with this repository's environment: node scripts/turbo.mjs run build
import { runChildGroup } from "./processes/child-group.mjs";
import { interruptible } from "./processes/interruptible.mjs";
import { requirePnpm } from "./processes/missing-pnpm.mjs";
import { turboCommand } from "./processes/turbo-command.mjs";

const { signal } = interruptible();
await requirePnpm();
const { command, args, env } = turboCommand(process.argv.slice(2));
const { code } = await runChildGroup(command, args, { env, signal });
if (!signal.aborted) process.exitCode = code;

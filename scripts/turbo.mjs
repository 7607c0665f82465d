// Runs turbo with this repository's environment: node scripts/turbo.mjs run build
import { runChildGroup } from "./child-group.mjs";
import { interruptible } from "./interruptible.mjs";
import { requirePnpm } from "./missing-pnpm.mjs";
import { turboCommand } from "./turbo-command.mjs";

const { signal } = interruptible();
await requirePnpm();
const { command, args, env } = turboCommand(process.argv.slice(2));
const { code } = await runChildGroup(command, args, { env, signal });
if (!signal.aborted) process.exitCode = code;

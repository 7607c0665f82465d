import { basename } from "node:path";
import { findProgram } from "../servers/find-program.mjs";

/** The command of package.json that runs each script. */
const commands = new Map([
  ["build.mjs", "build"],
  ["campaign.mjs", "campaign"],
  ["check.mjs", "check"],
  ["check-consumers.mjs", "check:consumers"],
  ["test.mjs", "test"],
  ["turbo.mjs", "build"],
  ["update-api.mjs", "api:update"],
]);

/**
 * The command to type instead of `node scripts/x.mjs` where pnpm, which turbo and the checks call, is
 * not on PATH. Undefined where it is.
 *
 * @param {string} script the path that Node was started with
 * @param {() => Promise<string | undefined>} [find]
 */
export async function missingPnpmHint(script, find = () => findProgram("pnpm", [])) {
  if ((await find()) !== undefined) return undefined;
  const command = commands.get(basename(script)) ?? "<command>";
  return (
    `pnpm is not on PATH. Type "npx -y pnpm@10 ${command}" instead of "node scripts/${basename(script)}", ` +
    "or install pnpm once: npm install -g pnpm@10"
  );
}

/** Ends this process with the hint where pnpm is missing. */
export async function requirePnpm() {
  const hint = await missingPnpmHint(process.argv[1] ?? "");
  if (hint === undefined) return;
  process.stderr.write(`${hint}\n`);
  process.exit(1);
}

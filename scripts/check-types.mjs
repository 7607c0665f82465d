// Checks the types of every workspace folder with TypeScript's native compiler, as many at once as there
// are cores. `pnpm typecheck` does the same with the compiler that writes the declaration files.
import { existsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { runChildGroup } from "./processes/child-group.mjs";
import { interruptible } from "./processes/interruptible.mjs";
import { listMembers } from "./test-run/selected-tests.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const compiler = fileURLToPath(
  new URL("bin/tsc", import.meta.resolve("@typescript/native/package.json")),
);
const { signal } = interruptible();

process.chdir(root);
const named = process.argv.slice(2);
const members = named.length > 0 ? named : await listMembers(root);
const folders = members.filter((folder) => existsSync(`${folder}/tsconfig.json`));
const left = [...folders];
await Promise.all(Array.from({ length: availableParallelism() }, checkNext));

async function checkNext() {
  for (let folder = left.shift(); folder !== undefined; folder = left.shift()) {
    const { code, output } = await runChildGroup(process.execPath, [compiler, "-p", folder], {
      capture: true,
      signal,
    });
    if (signal.aborted) return;
    if (code === 0) continue;
    process.exitCode = 1;
    process.stdout.write(output);
  }
}

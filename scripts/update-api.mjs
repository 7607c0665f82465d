// Writes packages/*/api/*.api.md from the built packages. Commit them: a change of the public API
// is a diff that a reviewer sees.
import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { runChildGroup } from "./processes/child-group.mjs";
import { requirePnpm } from "./processes/missing-pnpm.mjs";

await requirePnpm();

const packages = fileURLToPath(new URL("../packages", import.meta.url));
for (const name of readdirSync(packages)) {
  const folder = join(packages, name);
  // A package with several entries has a configuration for each.
  for (const config of readdirSync(folder).filter((file) => /^api-extractor.*\.json$/.test(file))) {
    mkdirSync(join(folder, "api"), { recursive: true });
    const { code, output } = await runChildGroup(
      join(folder, "node_modules/.bin/api-extractor"),
      ["run", "--local", "--config", join(folder, config)],
      { capture: true },
    );
    if (code !== 0) {
      process.stderr.write(output);
      process.exitCode = 1;
    }
  }
}

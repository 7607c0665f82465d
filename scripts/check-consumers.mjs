// Uses the packages as people do: packed, and outside this workspace. Without arguments the quick consumers
// only, which need no network; `--all` for each of them, names for some.
import { copyFile, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { allConsumers } from "./consumers/all-consumers.mjs";
import { createPlace } from "./consumers/consumer.mjs";
import { installPackages } from "./consumers/installed-folder.mjs";
import { linkPackages } from "./consumers/linked-folder.mjs";
import { packPackages } from "./consumers/packed-packages.mjs";

/** @typedef {import("./consumers/consumer.mjs").Consumer} Consumer */

const root = fileURLToPath(new URL("..", import.meta.url));
const programs = fileURLToPath(new URL("consumers/programs/", import.meta.url));
const interrupt = new AbortController();
const { signal } = interrupt;
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(name, () => interrupt.abort());

const names = process.argv.slice(2);
const unknown = names.find(
  (name) => name !== "--all" && !allConsumers.some((c) => c.name === name),
);
if (unknown !== undefined) {
  console.error(`${unknown} is not one of --all, ${allConsumers.map((c) => c.name).join(", ")}`);
  process.exit(2);
}
const chosen = allConsumers.filter(({ name, quick = false }) =>
  names.length === 0 ? quick : names.includes("--all") || names.includes(name),
);

const base = await mkdtemp(join(tmpdir(), "parsec-consumers-"));
const left = [...chosen];
let failures = 0;
try {
  const packages = await packPackages({ root, folder: base, signal });
  const linked = join(base, "linked");
  await mkdir(linked);
  if (chosen.some(({ quick }) => quick)) await linkPackages({ folder: linked, packages, signal });

  /** @param {Consumer} consumer */
  const tryOne = async (consumer) => {
    const folder = consumer.quick ? linked : join(base, consumer.name.replaceAll(" ", "-"));
    await mkdir(folder, { recursive: true });
    for (const program of consumer.programs ?? []) {
      await copyFile(join(programs, program), join(folder, program));
    }
    const { dependencies = {}, installed = "by npm" } = consumer;
    if (!consumer.quick && installed === "by npm") {
      await installPackages({ folder, packages, dependencies, signal });
    }
    await consumer.run(createPlace({ folder, packages, signal }));
  };

  const next = async () => {
    for (let consumer = left.shift(); consumer !== undefined; consumer = left.shift()) {
      const startedMs = performance.now();
      const error = await tryOne(consumer).then(
        () => undefined,
        (/** @type {Error} */ reason) => reason,
      );
      if (signal.aborted) return;
      const seconds = ((performance.now() - startedMs) / 1000).toFixed(1).padStart(6);
      console.log(
        `${error === undefined ? "ok    " : "FAILED"} ${consumer.name.padEnd(22)} ${seconds} s`,
      );
      if (error === undefined) continue;
      failures++;
      console.log(`\n${error.message.trim()}\n`);
    }
  };
  await Promise.all([next(), next()]);
} finally {
  await rm(base, { recursive: true, force: true });
}

if (signal.aborted) {
  console.log("Interrupted.");
  process.exitCode = 130;
} else if (failures > 0) {
  console.log(`${failures} of ${chosen.length} consumers failed.`);
  process.exitCode = 1;
} else {
  console.log(`All ${chosen.length} consumers work.`);
}

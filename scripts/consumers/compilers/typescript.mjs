import { rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** As strict as a user can be. `types: []` leaves `@types/node` out even where it is installed. */
const strictest = {
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  skipLibCheck: false,
  noEmit: true,
  target: "es2022",
  lib: ["es2023"],
};

const nodeNext = { module: "nodenext", moduleResolution: "nodenext" };
const resolutions = [nodeNext, { module: "esnext", moduleResolution: "bundler" }];

/**
 * Compiles a program and imports of entries, by each way to resolve packages. Errors count where they
 * are ours: in the program or in the declarations of a package of this workspace.
 *
 * @param {import("../consumer.mjs").ConsumerPlace} place
 * @param {{ entries: readonly string[], compiler: readonly string[], types: readonly string[], resolutions: readonly { module: string, moduleResolution: string }[] }} options
 */
async function compile({ folder, exec }, { entries, compiler, types, resolutions }) {
  const file = entries.length === 1 ? `${entries[0]?.replaceAll(/\W/g, "-")}.ts` : "all-entries.ts";
  const imports = entries.map((entry, index) => `export type * as n${index} from "${entry}";\n`);
  await writeFile(join(folder, file), imports.join(""));
  for (const resolution of resolutions) {
    const config = `tsconfig.${file}.${resolution.moduleResolution}.json`;
    const compilerOptions = { ...strictest, ...resolution, types };
    const files = entries.includes("@parsec/core") ? [file, "typed.ts"] : [file];
    const tsconfig = { compilerOptions, files };
    await writeFile(join(folder, config), JSON.stringify(tsconfig));
    const args = [...compiler, "-p", config, "--pretty", "false"];
    const output = await exec(process.execPath, args, { allowFailure: true });
    const ours = output.split("\n").filter(isOurs);
    if (ours.length > 0) throw new Error(`${config}\n${ours.join("\n")}`);
  }
}

/**
 * Compiles each entry alone, without the types of Node: what another package depends on may bring them.
 *
 * @param {import("../consumer.mjs").ConsumerPlace} place
 * @param {readonly string[]} compiler
 */
async function compileEachAlone(place, compiler) {
  for (const entry of entriesOf(place)) {
    await compile(place, { entries: [entry], compiler, types: [], resolutions: [nodeNext] });
  }
}

/** @param {import("../consumer.mjs").ConsumerPlace} place */
function entriesOf({ packages }) {
  return packages.flatMap(({ entries }) => entries);
}

/** @param {string} line */
function isOurs(line) {
  return (
    line.includes("error TS") && (!line.includes("node_modules/") || line.includes("/@parsec/"))
  );
}

/** Without `@types/node`, by the compiler that the workspace has. @type {import("../consumer.mjs").Consumer} */
export const typescriptQuick = {
  name: "typescript alone",
  quick: true,
  programs: ["typed.ts"],
  async run(place) {
    const native = fileURLToPath(
      new URL("bin/tsc", import.meta.resolve("@typescript/native/package.json")),
    );
    await compileEachAlone(place, [native]);
  },
};

/** @type {import("../consumer.mjs").Consumer} */
export const typescript = {
  name: "typescript",
  dependencies: {
    typescript: "5.9.3",
    "@types/node": "20.19.43",
    "@opentelemetry/api": "1.9.1",
    "prom-client": "15.1.3",
  },
  programs: ["typed.ts"],
  async run(place) {
    const compiler = ["node_modules/typescript/bin/tsc"];
    const entries = entriesOf(place);
    await compile(place, { entries, compiler, types: ["node"], resolutions });
    await compileEachAlone(place, compiler);
    // A CommonJS module of an application that TypeScript compiles.
    const { folder, exec } = place;
    await writeFile(
      join(folder, "common.cts"),
      'import { createDataSourceRegistry } from "@parsec/core";\nexport const names: readonly string[] = createDataSourceRegistry().names();\n',
    );
    await exec(process.execPath, [
      ...compiler,
      "common.cts",
      ...[
        "--module",
        "nodenext",
        "--strict",
        "--types",
        "node",
        "--target",
        "es2022",
        "--outDir",
        "out",
      ],
    ]);
    await rename(join(folder, "out/common.cjs"), join(folder, "common.cjs"));
    await exec(process.execPath, ["common.cjs"]);
  },
};

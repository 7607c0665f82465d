import { readFile } from "node:fs/promises";
import ts from "typescript";
import { expect, it } from "vitest";

/** The packages that a module loads at run time, directly or through its own modules. */
async function packagesOf(module: URL, seen: Set<string> = new Set()): Promise<Set<string>> {
  if (seen.has(module.href)) return new Set();
  seen.add(module.href);
  const { outputText } = ts.transpileModule(await readFile(module, "utf8"), {
    compilerOptions: { module: ts.ModuleKind.ESNext, verbatimModuleSyntax: true },
  });
  const packages = new Set<string>();
  for (const { fileName } of ts.preProcessFile(outputText).importedFiles) {
    const found = fileName.startsWith(".")
      ? await packagesOf(new URL(fileName, module), seen)
      : [
          fileName
            .split("/")
            .slice(0, fileName.startsWith("@") ? 2 : 1)
            .join("/"),
        ];
    for (const name of found) packages.add(name);
  }
  return packages;
}

it.each([
  ["prometheus", "prom-client"],
  ["opentelemetry", "@opentelemetry/api"],
])("@parsec/metrics/%s loads only %s", async (entry, dependency) => {
  const packages = await packagesOf(new URL(`../src/${entry}/index.ts`, import.meta.url));
  expect([...packages].sort()).toEqual([dependency, "@parsec/core"].sort());
});

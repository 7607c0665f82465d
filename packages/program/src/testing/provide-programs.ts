import type { TestProject } from "vitest/node";
import { bundlePrograms } from "./bundle-programs.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** Folder with a `.js` file for each program of the package, built from the current sources. */
    readonly programs: string;
  }
}

/**
 * A `setup` function for vitest's `globalSetup` that bundles programs once for all test files. Tests start
 * them with `runProgram`. The options are those of `bundlePrograms`.
 */
export function providePrograms(
  options: Parameters<typeof bundlePrograms>[0],
): (project: TestProject) => Promise<() => Promise<void>> {
  return async (project) => {
    const bundled = await bundlePrograms(options);
    project.provide("programs", bundled.folder);
    return bundled.delete;
  };
}

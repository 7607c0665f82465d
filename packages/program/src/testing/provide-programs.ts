import type { TestProject } from "vitest/node";
import { bundlePrograms } from "./bundle-programs.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** Folder with a `.js` for each program of the package, built from the sources as they are now. */
    readonly programs: string;
  }
}

/**
 * A `setup` for vitest's `globalSetup` that bundles the programs once for all test files, which start
 * them with `runProgram`. See `bundlePrograms` for the options.
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

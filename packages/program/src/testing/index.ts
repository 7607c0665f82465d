// biome-ignore-all lint/performance/noBarrelFile: the entry of a subpath export
export type { BundledPrograms } from "./bundle-programs.ts";
export { bundlePrograms } from "./bundle-programs.ts";
export type { ForkedProgram } from "./fork-program.ts";
export { forkProgram } from "./fork-program.ts";
export { providePrograms } from "./provide-programs.ts";
export type { RunningProgram } from "./run-program.ts";
export { isAlive, runProgram } from "./run-program.ts";
export { waitForOutput } from "./wait-for-output.ts";

import { providePrograms } from "@parsec/program/testing";

// No TypeScript, because tsup's own declarations need what is not installed.
export const setup = providePrograms({
  packageUrl: new URL("..", import.meta.url),
  programs: [
    new URL("./programs/node.ts", import.meta.url),
    new URL("./programs/ends-by-itself.ts", import.meta.url),
  ],
});

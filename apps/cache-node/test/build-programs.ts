import { providePrograms } from "@parsec/program/testing";

export const setup: ReturnType<typeof providePrograms> = providePrograms({
  packageUrl: new URL("..", import.meta.url),
  programs: [
    new URL("../src/node.ts", import.meta.url),
    new URL("../src/start.ts", import.meta.url),
    new URL("chaos/programs/noting-node.ts", import.meta.url),
  ],
});

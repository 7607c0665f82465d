import { providePrograms } from "@parsec/program/testing";

export const setup: ReturnType<typeof providePrograms> = providePrograms({
  packageUrl: new URL("..", import.meta.url),
  programs: [
    new URL("./programs/node.ts", import.meta.url),
    new URL("./programs/origin.ts", import.meta.url),
    new URL("./programs/worker-primary.ts", import.meta.url),
  ],
});

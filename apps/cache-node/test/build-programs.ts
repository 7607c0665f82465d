import { providePrograms } from "@parsec/program/testing";

export const setup: ReturnType<typeof providePrograms> = providePrograms({
  packageUrl: new URL("..", import.meta.url),
  programs: { node: "src/node.ts", start: "src/start.ts" },
});

import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";

it("matches the .proto files (else run pnpm generate)", async () => {
  const script = fileURLToPath(new URL("../scripts/generate.mjs", import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [script, "--print"]);
  const file = new URL("grpc-proto-definitions.ts", import.meta.url);
  expect(await readFile(file, "utf8")).toBe(stdout);
});

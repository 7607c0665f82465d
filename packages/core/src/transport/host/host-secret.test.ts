import { execFile } from "node:child_process";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { hostSecret } from "./host-secret.ts";

const runFile = promisify(execFile);

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "parsec-secret-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const refused = (text: string) =>
  expect.objectContaining({ code: "INVALID_ARGUMENT", message: expect.stringContaining(text) });

describe("the secret shared by the processes of a host", () => {
  test("is created once, in a file of this user alone, and is the same after a restart", () => {
    const secret = hostSecret(folder);
    expect(secret).toMatch(/^[A-Za-z0-9_-]{43}$/);
    expect(hostSecret(folder)).toBe(secret);
    expect(readdirSync(folder)).toEqual(["secret"]);
    if (process.getuid !== undefined) {
      expect(statSync(join(folder, "secret")).mode & 0o777).toBe(0o600);
    }
  });

  test("is the same in processes that start together", async () => {
    const run = await bundled();
    const secrets = await Promise.all([run(), run(), run(), run(), run(), run()]);
    expect(new Set(secrets)).toEqual(new Set([hostSecret(folder)]));
    expect(readdirSync(folder).filter((name) => name.startsWith("secret"))).toEqual(["secret"]);
  });

  test("passes over a damaged file in all processes alike", () => {
    writeFileSync(join(folder, "secret"), "half a sec", { mode: 0o600 });
    writeFileSync(join(folder, "secret.1"), "", { mode: 0o600 });
    const secret = hostSecret(folder);
    expect(secret).toMatch(/^[A-Za-z0-9_-]{43}$/);
    expect(hostSecret(folder)).toBe(secret);
    expect(readdirSync(folder).sort()).toEqual(["secret", "secret.1", "secret.2"]);
  });

  test("ignores the draft of a process that was killed while it wrote", () => {
    writeFileSync(join(folder, "secret.0123456789abcdef"), "half a sec", { mode: 0o600 });
    const secret = hostSecret(folder);
    expect(hostSecret(folder)).toBe(secret);
  });

  test.skipIf(process.getuid === undefined)(
    "is refused when others can read it, or when it is a link",
    () => {
      hostSecret(folder);
      chmodSync(join(folder, "secret"), 0o644);
      expect(() => hostSecret(folder)).toThrow(refused("got with mode 0644"));
      rmSync(join(folder, "secret"));
      writeFileSync(join(folder, "elsewhere"), "x".repeat(43), { mode: 0o600 });
      symlinkSync(join(folder, "elsewhere"), join(folder, "secret"));
      expect(() => hostSecret(folder)).toThrow(refused("got not a file"));
    },
  );

  test("is refused when the folder does not exist", () => {
    expect(() => hostSecret(join(folder, "missing"))).toThrow(refused("got ENOENT"));
  });
});

/** Returns a function that prints the secret of {@link folder} in a process of its own. Node 20 cannot run the source. */
async function bundled(): Promise<() => Promise<string>> {
  const built = join(folder, "built");
  mkdirSync(built);
  writeFileSync(join(built, "package.json"), '{ "type": "module" }');
  const tsup = fileURLToPath(new URL("../../../node_modules/.bin/tsup", import.meta.url));
  const source = fileURLToPath(new URL("./host-secret.ts", import.meta.url));
  await runFile(tsup, [source, "--no-config", "--silent", "--format", "esm", "--out-dir", built]);
  const program = `
    const { hostSecret } = await import(${JSON.stringify(join(built, "host-secret.js"))});
    process.stdout.write(hostSecret(${JSON.stringify(folder)}));
  `;
  return async () => {
    const args = ["--input-type=module", "--eval", program];
    return (await runFile(process.execPath, args)).stdout;
  };
}

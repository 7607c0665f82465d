import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { hostFolder } from "./host-folder.ts";

const uid = process.getuid?.();
let base: string;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), "parsec-host-"));
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

const refused = (text: string) =>
  expect.objectContaining({ code: "INVALID_ARGUMENT", message: expect.stringContaining(text) });

describe.skipIf(uid === undefined)("the folder shared by the processes of a host", () => {
  test("is created in the runtime folder, for this user alone", () => {
    const path = hostFolder({ runtimeDir: base, tempDir: "/nowhere" });
    expect(path).toBe(join(base, "parsec"));
    expect(statSync(path).mode & 0o777).toBe(0o700);
    expect(hostFolder({ runtimeDir: base, tempDir: "/nowhere" })).toBe(path);
  });

  test.each([
    ["is not set", () => undefined],
    ["is relative", () => "run"],
    ["does not exist", () => join(base, "missing")],
    ["can be written by others", () => withMode(join(base, "open"), 0o777)],
    ["is a file", () => file(join(base, "file"))],
  ])("is created in the temporary folder when the runtime folder %s", (_case, runtimeDir) => {
    const path = hostFolder({ runtimeDir: runtimeDir(), tempDir: base });
    expect(path).toBe(join(base, `parsec-${uid}`));
    expect(statSync(path).mode & 0o777).toBe(0o700);
  });

  test("is refused when others may enter it, when it is a link or a file, and when it cannot be created", () => {
    const path = join(base, `parsec-${uid}`);
    const open = () => hostFolder({ runtimeDir: undefined, tempDir: base });
    withMode(path, 0o750);
    expect(open).toThrow(refused(`${path} must be accessible to this user alone`));
    expect(open).toThrow(refused("got with mode 0750"));
    rmSync(path, { recursive: true });
    symlinkSync(withMode(join(base, "elsewhere"), 0o700), path);
    expect(open).toThrow(refused("got not a folder"));
    rmSync(path);
    file(path);
    expect(open).toThrow(refused("got not a folder"));
    expect(() => hostFolder({ runtimeDir: undefined, tempDir: join(base, "missing") })).toThrow(
      refused("got ENOENT"),
    );
  });

  test.skipIf(uid !== 0)("is refused when another user owns it", async () => {
    const { chownSync } = await import("node:fs");
    chownSync(withMode(join(base, `parsec-${uid}`), 0o700), 12_345, 12_345);
    const open = () => hostFolder({ runtimeDir: undefined, tempDir: base });
    expect(open).toThrow(refused("got owned by user 12345"));
  });
});

function withMode(path: string, mode: number): string {
  mkdirSync(path);
  chmodSync(path, mode);
  return path;
}

function file(path: string): string {
  writeFileSync(path, "");
  return path;
}

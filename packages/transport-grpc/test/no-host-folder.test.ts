import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createGroupCache } from "@parsec/core";
import { expect, onTestFinished, test, vi } from "vitest";
import { startNodes } from "./grpc-nodes.ts";

/** What the system may have instead of a temporary folder that a node can write to. */
const tempFolders: readonly (readonly [string, (base: string) => string])[] = [
  ["does not exist", (base) => join(base, "missing")],
  [
    "is a file",
    (base) => {
      writeFileSync(join(base, "file"), "");
      return join(base, "file");
    },
  ],
  [
    "has a folder of this name that others may enter",
    (base) => {
      mkdirSync(join(base, `parsec-${process.getuid?.()}`), { mode: 0o755 });
      return base;
    },
  ],
];

test.each(tempFolders)(
  "nodes with a secret start and serve where the temporary folder %s",
  async (_case, make) => {
    const base = mkdtempSync(join(tmpdir(), "parsec-"));
    onTestFinished(() => rmSync(base, { recursive: true, force: true }));
    onTestFinished(() => void vi.unstubAllEnvs());
    vi.stubEnv("XDG_RUNTIME_DIR", undefined);
    vi.stubEnv("TMPDIR", make(base));
    // As PM2 sets it: a process that does not find the others warns.
    vi.stubEnv("NODE_APP_INSTANCE", "0");
    const warned: string[] = [];
    const { peers: pickers, close } = await startNodes({
      count: 2,
      secret: "a secret for this test only",
      onWarning: ({ kind }) => warned.push(kind),
    });
    onTestFinished(close);
    const caches = pickers.map((peers) => createGroupCache({ peers }));
    let fetches = 0;
    const groups = caches.map((cache) =>
      cache.group("g", {
        load: (key: string) => {
          fetches++;
          return `value of ${key}`;
        },
      }),
    );
    const keys = Array.from({ length: 20 }, (_, index) => `key ${index}`);
    const values = await Promise.all(groups.flatMap((group) => keys.map((key) => group.get(key))));
    expect(values.map((value) => Buffer.from(value ?? []).toString())).toEqual(
      [...keys, ...keys].map((key) => `value of ${key}`),
    );
    expect(fetches).toBe(keys.length);
    expect(warned).toEqual(["shared-address", "shared-address"]);
  },
);

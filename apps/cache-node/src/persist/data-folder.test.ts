import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { temporaryFolder } from "../../test/temporary-folder.ts";
import { openDataFolder } from "./data-folder.ts";
import { describeSelf, isRunning } from "./process-identity.ts";

const owner = { platform: "p", node: "node-1", partitions: 64 };

test("belongs to one node permanently, and to one process at a time", async () => {
  const folder = join(await temporaryFolder(), "a", "b");
  const first = await openDataFolder(folder, owner);
  expect(await readFile(join(folder, "lock"), "utf8")).toBe(describeSelf());
  await first.close();
  await first.close();
  expect((await readdir(folder)).sort()).toEqual(["cache-node.json", "partitions"]);
  for (const [name, value] of Object.entries({ platform: "q", node: "node-2", partitions: 32 })) {
    await expect(openDataFolder(folder, { ...owner, [name]: value })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining(`its ${name} is ${JSON.stringify(owner[name as "node"])}`),
    });
  }
  await writeFile(join(folder, "cache-node.json"), "{");
  await expect(openDataFolder(folder, owner)).rejects.toThrow("its format is nothing, not 1");
  expect(await readdir(folder)).not.toContain("lock");
});

test("is taken over only from a process that is not running", async () => {
  const folder = await temporaryFolder();
  const holder = spawn("sleep", ["60"], { stdio: "ignore" });
  onTestFinished(() => void holder.kill("SIGKILL"));
  const status = await readFile(`/proc/${holder.pid}/stat`, "utf8");
  const start = status.split(") ")[1]?.split(" ")[19];
  await writeFile(join(folder, "lock"), `${holder.pid} ${start}`);
  await expect(openDataFolder(folder, owner)).rejects.toMatchObject({
    code: "INVALID_ARGUMENT",
    message: `--persist: the folder ${folder} is in use by process ${holder.pid}`,
  });
  // The same pid, but another process.
  await writeFile(join(folder, "lock"), `${holder.pid} 12345`);
  await (await openDataFolder(folder, owner)).close();
  await writeFile(join(folder, "lock"), `${holder.pid} ${start}`);
  holder.kill("SIGKILL");
  await once(holder, "exit");
  await (await openDataFolder(folder, owner)).close();
});

test("is taken over from a process that was killed, but that its parent has not noticed", async () => {
  const folder = await temporaryFolder();
  // `exec` replaces the shell, so that nobody waits for its child.
  const parent = spawn("sh", ["-c", "sleep 60 & echo $!; exec sleep 60"], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  onTestFinished(() => void parent.kill("SIGKILL"));
  const [line] = (await once(parent.stdout, "data")) as [Buffer];
  const pid = Number(line.toString());
  const fields = async (): Promise<string[]> => {
    const status = await readFile(`/proc/${pid}/stat`, "utf8");
    return status.split(") ")[1]?.split(" ") ?? [];
  };
  await writeFile(join(folder, "lock"), `${pid} ${(await fields())[19]}`);
  await expect(openDataFolder(folder, owner)).rejects.toThrow("in use");
  process.kill(pid, "SIGKILL");
  await expect.poll(async () => (await fields())[0]).toBe("Z");
  await (await openDataFolder(folder, owner)).close();
});

test("an invalid identity is not running", () => {
  for (const text of ["", "x", "-1 0", "0 0", "99999999 5", describeSelf()]) {
    expect(isRunning(text)).toBe(false);
  }
});

test("names the flag when the folder cannot be created", async () => {
  const file = join(await temporaryFolder(), "file");
  await writeFile(file, "");
  await expect(openDataFolder(file, owner)).rejects.toMatchObject({
    code: "INVALID_ARGUMENT",
    message: expect.stringMatching(/^--persist cannot use the folder: /),
  });
});

import { once } from "node:events";
import { mkdtemp, rename, rm, stat } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createGroupCache, type DiscoveringNode } from "@parsec/core";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import type { UnixPeersOptions } from "./unix-options.ts";
import { createUnixPeers, type UnixPeers } from "./unix-peers.ts";

let folder = "";
beforeEach(async () => {
  const made = await mkdtemp(join(tmpdir(), "parsec-"));
  onTestFinished(() => rm(made, { recursive: true }));
  folder = made;
});

function peersAt(name: string, options: Partial<UnixPeersOptions> = {}): UnixPeers {
  const selfUrl = urlOf(name);
  const peers = createUnixPeers({ selfUrl, peerUrls: [selfUrl], ...options });
  onTestFinished(() => peers.close());
  return peers;
}

function urlOf(name: string): string {
  return `unix:${folder}/${name}.sock`;
}

test("lets processes of the same user connect, and all of the host only when insecure", async () => {
  await peersAt("a").listen();
  await peersAt("b", { insecure: true }).listen();
  const modeOf = async (name: string) => (await stat(`${folder}/${name}.sock`)).mode & 0o777;
  expect(await modeOf("a")).toBe(0o600);
  expect(await modeOf("b")).toBe(0o777 & ~process.umask());
});

test("replaces the file of a process that was killed", async () => {
  const path = `${folder}/a.sock`;
  const server = createServer();
  // What a killed process leaves behind: a socket that is bound and that no process listens at.
  server.listen(path);
  await once(server, "listening");
  await rename(path, `${path}.kept`);
  await new Promise((resolve) => server.close(resolve));
  await rename(`${path}.kept`, path);

  await peersAt("a").listen();
  await once(connect(path), "connect");
});

test("refuses a socket at which another process listens", async () => {
  await peersAt("a").listen();
  await expect(peersAt("a").listen()).rejects.toMatchObject({ code: "EADDRINUSE" });
});

test("closes a connection that sends more than the limit, and serves the others", async () => {
  await peersAt("a", { limits: { maxFrameBytes: 2 * 1024 * 1024 } }).listen();
  const stranger = connect(`${folder}/a.sock`);
  stranger.write(Buffer.alloc(9, 0xff));
  await once(stranger, "close");
  await once(connect(`${folder}/a.sock`), "connect");
});

test("closes although requesters stay connected", async () => {
  const peers = peersAt("a");
  await peers.listen();
  const requester = connect(`${folder}/a.sock`);
  await once(requester, "connect");
  const closed = once(requester.resume(), "close");
  await peers.close();
  await closed;
});

test("takes a process that is stopped for unreachable, although its connection stays open", async () => {
  const stopped = createServer().listen(`${folder}/b.sock`);
  onTestFinished(() => {
    stopped.close();
  });
  const peers = peersAt("a", {
    peerUrls: [urlOf("a"), urlOf("b")],
    health: { silenceMs: 20, pingTimeoutMs: 20 },
  });
  const lookup = { group: "g", key: "k", input: undefined, fence: 0, timeoutMs: 600_000 };
  await expect(peers.peers()[0]?.lookup(lookup)).rejects.toMatchObject({
    code: "PEER_UNREACHABLE",
    message: expect.stringContaining("ping"),
  });
});

test("stops reading from a requester that does not read its answers", async () => {
  await peersAt("a").listen();
  const [silent, other] = [connect(`${folder}/a.sock`), connect(`${folder}/a.sock`)];
  await Promise.all([once(silent, "connect"), once(other, "connect")]);
  silent.pause();
  let isTaken = false;
  const pings = Buffer.alloc(5_000_000, pingBytes());
  silent.write(pings, () => {
    isTaken = true;
  });
  // Turns enough to read and answer all of them.
  for (let turn = 0; turn < 500; turn++) {
    other.write(pingBytes());
    await once(other, "data");
  }
  expect(isTaken).toBe(false);
  silent.destroy();
});

function pingBytes(): Buffer {
  const ping = Buffer.alloc(9);
  ping.writeUInt32LE(5, 0);
  ping.writeUInt8(2, 4);
  return ping;
}

test("follows a discovery", async () => {
  const started: DiscoveringNode[] = [];
  const discovery = { start: (node: DiscoveringNode) => started.push(node), close() {} };
  const urls = [urlOf("a"), urlOf("b")];
  const loads: string[] = [];
  const groups = await Promise.all(
    ["a", "b"].map(async (name) => {
      const peers = createUnixPeers({ selfUrl: urlOf(name), discovery });
      const cache = createGroupCache({ peers });
      onTestFinished(() => cache.close());
      await peers.listen();
      return cache.group("words", {
        load(key) {
          loads.push(key);
          return key;
        },
      });
    }),
  );
  for (const node of started) node.onPeers(urls);
  const keys = Array.from({ length: 20 }, (_, index) => `key ${index}`);
  for (const group of groups) await group.getMany(keys);
  expect(loads.sort()).toEqual(keys.sort());
});

test.each([
  [{ secret: "sixteen characters" }, "secret must be left out"],
  [{ selfUrl: "unix:relative.sock" }, "selfUrl must be unix: and an absolute path"],
  [{ selfUrl: "/run/a.sock" }, "selfUrl must be unix: and an absolute path"],
  [{ selfUrl: `unix:/${"é".repeat(52)}` }, "absolute path of at most 103 bytes"],
  [{ peerUrls: ["unix:/run/b.sock"] }, "peerUrls must list every node"],
])("refuses %o", (options, message) => {
  const selfUrl = "unix:/run/a.sock";
  const given = { selfUrl, peerUrls: [selfUrl], ...options };
  expect(() => createUnixPeers(given)).toThrow(message);
});

import { createGroupCache, type Group } from "@parsec/core";
import { keyFromBytes, keyToBytes } from "@parsec/core/transport";
import { createSeededRandom } from "@parsec/testkit";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { createHttpPeers } from "../src/index.ts";
import { buildGoPeer, GoPeer } from "./go-peer.ts";
import { startServer } from "./http-cluster.ts";
import { rawRequest } from "./raw-http.ts";

const built = await buildGoPeer();
afterAll(async () => {
  if (built.reason === undefined) await built.remove();
});

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const utf8 = (text: string): Buffer => Buffer.from(text);
/** Kinds of keys that are known to cause bugs, as bytes. */
const kinds: readonly (readonly [kind: string, key: Uint8Array])[] = [
  ["ordinary", utf8("user:12345")],
  ["empty", utf8("")],
  ["with a space", utf8("a b")],
  ["with a plus", utf8("a+b")],
  ["with both", utf8("a +b")],
  ["with a percent sign", utf8("100%")],
  ["that looks escaped", utf8("%2F%zz%00")],
  ["with slashes", utf8("x/y//z/")],
  ["that begins with slashes", utf8("//x")],
  ["with a query and a fragment", utf8("x/y?z=1&é%#f")],
  ["of one dot", utf8(".")],
  ["of two dots", utf8("..")],
  ["with dots as directories", utf8("../../x/./y")],
  ["in Japanese", utf8("日本")],
  ["beyond the basic plane", utf8("🦉")],
  ["that is not UTF-8", Buffer.from([0xff, 0xfe])],
  ["of half a character", Buffer.from([0x61, 0xe6, 0x97])],
  ["with control characters", Buffer.from([0, 10, 13, 127])],
  ["of every byte", Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))],
];

interface MixedRing {
  readonly go: GoPeer;
  readonly group: Group;
  readonly loads: string[];
  readonly goUrl: string;
  ownedByGo(key: string): boolean;
}

/** A ring of one Go node and one Parsec node. */
async function mixedRing(
  program: string,
  options: { readonly mux?: boolean; readonly variables?: NodeJS.ProcessEnv } = {},
): Promise<MixedRing> {
  const { mux = false, variables = {} } = options;
  const go = await GoPeer.start(program, variables);
  cleanups.push(() => go.stop());
  const server = await startServer();
  cleanups.push(() => server.close());
  const ring = [go.url, server.url];
  await go.join({ self: go.url, peers: ring, mux });
  const peers = createHttpPeers({
    openLoopback: true,
    selfUrl: server.url,
    peerUrls: ring,
    placement: "groupcache",
    peerWire: "golang",
    dialect: "golang",
  });
  server.listener = peers.handler;
  const cache = createGroupCache({ peers });
  cleanups.push(() => cache.close());
  const loads: string[] = [];
  const group = cache.group("g", {
    hot: false,
    load: (key) => {
      loads.push(key);
      if (key.startsWith("fails")) throw new Error("ts: no such row");
      if (key.startsWith("none")) return undefined;
      return Buffer.concat([utf8("ts:"), keyToBytes(key)]);
    },
  });
  return {
    go,
    group,
    loads,
    goUrl: go.url,
    ownedByGo: (key) => peers.pick(key) !== undefined,
  };
}

/** The key, with bytes appended until it has the requested owner. */
function keyOwnedBy(ring: MixedRing, base: Uint8Array, byGo: boolean): string {
  for (let index = 0; ; index++) {
    const suffix = index === 0 ? "" : String(index);
    const key = keyFromBytes(Buffer.concat([base, utf8(suffix)]));
    if (ring.ownedByGo(key) === byGo) return key;
  }
}

if (built.program === undefined) {
  it.skip(`a ring shared with golang/groupcache (${built.reason})`);
} else {
  const { program, hasNewMux } = built;

  describe("a ring shared with golang/groupcache", () => {
    // Points and owners as computed by the published algorithm, an independent reference for both sides.
    const known: readonly (readonly [key: Uint8Array, owner: string])[] = [
      [utf8("user:12345"), "http://10.0.0.3:8080"],
      [utf8("user:67890"), "http://10.0.0.2:8080"],
      [utf8("user:11111"), "http://10.0.0.2:8080"],
      [utf8("alice"), "http://10.0.0.3:8080"],
      [utf8("a b"), "http://10.0.0.2:8080"],
      [utf8("a+b"), "http://10.0.0.1:8080"],
      [utf8(""), "http://10.0.0.1:8080"],
      [utf8("日本"), "http://10.0.0.1:8080"],
      [Buffer.from([0xff, 0xfe]), "http://10.0.0.2:8080"],
    ];

    it("has the same owner for every key on both sides", async () => {
      const ring = [1, 2, 3].map((host) => `http://10.0.0.${host}:8080`);
      const [selfUrl] = ring as [string];
      const peers = createHttpPeers({
        selfUrl,
        peerUrls: ring,
        placement: "groupcache",
        openLoopback: true,
      });
      const go = await GoPeer.start(program);
      cleanups.push(
        () => go.stop(),
        () => peers.close(),
      );
      await go.join({ self: selfUrl, peers: ring });
      const random = createSeededRandom(7);
      const some = Array.from({ length: 10_000 }, () =>
        Buffer.from(Array.from({ length: random() * 24 }, () => random() * 256)),
      );
      const keys = [...known.map(([key]) => key), ...some, ...kinds.map(([, key]) => key)];
      const { owners = [] } = await go.ownersOf(keys);
      const ours = keys.map((key) => peers.pick(keyFromBytes(key))?.id ?? "");
      expect(ours).toEqual(owners);
      for (const [index, [key, owner]] of known.entries()) {
        expect(owners[index] || selfUrl, Buffer.from(key).toString()).toBe(owner);
      }
    });

    it("serves every kind of key in both directions", async () => {
      const ring = await mixedRing(program);
      for (const [kind, base] of kinds) {
        const ofGo = keyOwnedBy(ring, base, true);
        const value = await ring.group.get(ofGo);
        const expected = Buffer.concat([utf8("go:"), keyToBytes(ofGo)]);
        expect(Buffer.from(value ?? []).toString("hex"), kind).toBe(expected.toString("hex"));

        const ofOurs = keyOwnedBy(ring, base, false);
        const { values, errors } = await ring.go.get([keyToBytes(ofOurs)]);
        expect(errors, kind).toEqual([""]);
        const wanted = Buffer.concat([utf8("ts:"), keyToBytes(ofOurs)]);
        expect(values, kind).toEqual([wanted.toString("hex")]);
      }
      expect(ring.loads).toHaveLength(kinds.length);
      const { loads, peer } = await ring.go.counts();
      expect([loads, peer]).toEqual([kinds.length, kinds.length]);
    });

    const unclean = ["x//#", "/#", "./#", "../#", "#/..", "#//"];
    const muxes: readonly (readonly [string, string, readonly string[]])[] = [
      ["before Go 1.22", "httpmuxgo121=1", unclean],
      ["since Go 1.22", "httpmuxgo121=0", []],
    ];
    it.each(hasNewMux ? muxes : muxes.slice(0, 1))(
      "gets any key through a ServeMux %s, and loads locally those that it redirects",
      async (_, GODEBUG, stopped) => {
        const ring = await mixedRing(program, { mux: true, variables: { GODEBUG } });
        const loadedHere: string[] = [];
        const patterns = ["#", "a b#", "a+b#", "é%#", "x/#", "#/", "#.", ...unclean];
        for (const pattern of patterns) {
          let key = "";
          for (let index = 0; key === "" || !ring.ownedByGo(key); index++) {
            key = pattern.replace("#", String(index));
          }
          const value = Buffer.from((await ring.group.get(key)) ?? []).toString();
          expect(value.slice(3)).toBe(key);
          if (value.startsWith("ts:")) loadedHere.push(pattern);
        }
        expect(loadedHere).toEqual(stopped);
      },
    );

    it("loads each key once, whichever node is called", async () => {
      const ring = await mixedRing(program);
      const keys = Array.from({ length: 500 }, (_, index) => `key ${index}+%/`);
      const ours = await ring.group.getMany(keys);
      const { values = [] } = await ring.go.get(keys.map(keyToBytes));
      expect(values).toEqual(ours.map((value) => Buffer.from(value ?? []).toString("hex")));
      const { loads } = await ring.go.counts();
      expect(loads + ring.loads.length).toBe(keys.length);
      expect(loads).toBeGreaterThan(0);
      expect(ring.loads.length).toBeGreaterThan(0);
    });

    it("distinguishes a failing getter, an unknown group and a missing value", async () => {
      const ring = await mixedRing(program);
      await expect(ring.group.get(keyOwnedBy(ring, utf8("fails"), true))).rejects.toMatchObject({
        code: "ORIGIN_FAILED",
        message: expect.stringContaining("go: no such row"),
      });
      // Go calls its own getter on any response but a value.
      const failing = keyOwnedBy(ring, utf8("fails"), false);
      expect((await ring.go.get([keyToBytes(failing)])).errors).toEqual(["go: no such row"]);
      const missing = keyOwnedBy(ring, utf8("none"), false);
      const { values } = await ring.go.get([keyToBytes(missing)]);
      expect(values).toEqual([utf8(`go:${missing}`).toString("hex")]);
      expect(ring.loads).toEqual([failing, missing]);
    });

    it("keeps serving without the Go node, and reports that it cannot invalidate there", async () => {
      const ring = await mixedRing(program);
      const key = keyOwnedBy(ring, utf8("k"), true);
      const result = await ring.group.invalidate(key);
      expect(result.failed.map(({ peerId }) => peerId)).toEqual([ring.goUrl]);
      await ring.go.stop();
      expect(Buffer.from((await ring.group.get(key)) ?? []).toString()).toBe(`ts:${key}`);
    });

    it("has Go nodes decode each other's spaces as pluses, a bug of Go's groupcache", async () => {
      const ring = await mixedRing(program);
      const asGoWritesIt = "/_groupcache/g/a+b";
      const port = Number(new URL(ring.goUrl).port);
      const response = await rawRequest(port, [`GET ${asGoWritesIt} HTTP/1.1`, "Host: localhost"]);
      expect(response.body.subarray(2).toString()).toMatch(/^(?:go|ts):a\+b$/);
    });
  });
}

import { describe, expect, it } from "vitest";
import type { PeerHost, PeerPicker } from "../peer.ts";
import { createGroupCache } from "./group-cache.ts";

/** A picker without peers that the test inspects. */
function soloPicker(parts: Partial<PeerPicker> = {}): PeerPicker & { readonly hosts: PeerHost[] } {
  const hosts: PeerHost[] = [];
  return {
    hosts,
    selfId: "self",
    peers: () => [],
    pick: () => undefined,
    updatePeers() {},
    attach: (host) => hosts.push(host),
    close: () => Promise.resolve(),
    ...parts,
  };
}

const lookup = { key: "k", input: undefined, fence: 0, timeoutMs: 1000 };

describe("LocalNode", () => {
  it("attaches itself to the picker once", () => {
    const peers = soloPicker();
    createGroupCache({ peers }).group("g", { load: () => "v" });
    expect(peers.hosts).toHaveLength(1);
  });

  it("answers peers for its groups and rejects unknown ones", async () => {
    const peers = soloPicker();
    createGroupCache({ peers }).group("g", { load: () => "v" });
    const [host] = peers.hosts as [PeerHost];
    expect(await host.lookup({ ...lookup, group: "g" })).toMatchObject({ fence: 0 });
    for (const group of ["unknown", "", "__proto__"]) {
      const missing = expect.objectContaining({
        code: "NO_SUCH_GROUP",
        message: `no such group: ${JSON.stringify(group)}`,
      });
      expect(() => host.lookup({ ...lookup, group })).toThrow(missing);
      expect(() => host.invalidate({ group, target: { kind: "all" }, fence: 1 })).toThrow(missing);
    }
  });

  it("closes the picker before the groups, so that peers get their answers", async () => {
    const order: string[] = [];
    const peers = soloPicker({
      async close() {
        const host = (peers as ReturnType<typeof soloPicker>).hosts[0] as PeerHost;
        const answer = await host.lookup({ ...lookup, group: "g" });
        order.push(Buffer.from(answer.value ?? []).toString());
      },
    });
    const cache = createGroupCache({ peers });
    const group = cache.group("g", { load: () => "v" });
    await cache.close();
    expect(order).toEqual(["v"]);
    await expect(group.get("k")).rejects.toMatchObject({ code: "CLOSED" });
  });

  it("I8 closes the groups even if the picker fails to close", async () => {
    const cache = createGroupCache({
      peers: soloPicker({ close: () => Promise.reject(new Error("socket")) }),
    });
    const group = cache.group("g", { load: () => new Promise(() => {}) });
    const outcome = group.get("k").catch((error: unknown) => error);
    await expect(cache.close()).rejects.toThrow("socket");
    expect(await outcome).toMatchObject({ code: "CLOSED" });
  });
});

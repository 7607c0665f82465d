import { describe, expect, it } from "vitest";
import { createPlacement } from "../../placement/create-placement.ts";
import { createPeerSet, type ManagedPeer, type PeerSet } from "./peer-set.ts";

function namesOf(count: number, net = 0): string[] {
  return Array.from({ length: count }, (_, index) => `http://10.${net}.0.${index}:8080`);
}

function peerOf(id: string): ManagedPeer {
  return {
    id,
    lookup: () => expect.unreachable(),
    invalidate: () => expect.unreachable(),
    close: () => Promise.resolve(),
  };
}

const self = "http://10.0.0.0:8080";
const keys = Array.from({ length: 500 }, (_, index) => `key ${index}`);

function peerSetOf(ids: readonly string[]): PeerSet {
  return createPeerSet({
    selfId: self,
    ids,
    placement: "slots",
    discovery: undefined,
    checkIds: (given) => given,
    createPeer: peerOf,
    onWarning() {},
  });
}

function ownersOf(peers: PeerSet): string[] {
  return keys.map((key) => peers.pick(key)?.id ?? self);
}

function placed(ids: readonly string[]): string[] {
  const placement = createPlacement("slots", ids);
  return keys.map((key) => placement.ownerOf(key));
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("a change of members", () => {
  it("is complete at once for a few new members", () => {
    const peers = peerSetOf(namesOf(3));
    peers.updatePeers(namesOf(20));
    expect(ownersOf(peers)).toEqual(placed(namesOf(20)));
    peers.updatePeers(namesOf(2));
    expect(ownersOf(peers)).toEqual(placed(namesOf(2)));
  });

  it("takes several turns for hundreds, in which keys keep their owners", async () => {
    const peers = peerSetOf(namesOf(3));
    const many = namesOf(300);
    peers.updatePeers(many);
    expect(peers.peers()).toHaveLength(299);
    let turns = 0;
    while (ownersOf(peers).join() === placed(namesOf(3)).join()) {
      await turn();
      turns++;
    }
    expect(turns).toBeGreaterThan(5);
    expect(ownersOf(peers)).toEqual(placed(many));
  });

  it("that follows before the last one is complete replaces it", async () => {
    const peers = peerSetOf(namesOf(3));
    peers.updatePeers(namesOf(300));
    await turn();
    const others = [self, ...namesOf(200, 1)];
    peers.updatePeers(others);
    // Those that left are owners no more, and their keys are not lost meanwhile.
    for (const owner of ownersOf(peers)) expect(others).toContain(owner);
    for (let turns = 0; turns < 30; turns++) await turn();
    expect(ownersOf(peers)).toEqual(placed(others));
    peers.updatePeers(namesOf(3));
    expect(ownersOf(peers)).toEqual(placed(namesOf(3)));
  });

  it("is abandoned when the node closes", async () => {
    const peers = peerSetOf(namesOf(3));
    peers.updatePeers(namesOf(300));
    await peers.close();
    for (let turns = 0; turns < 30; turns++) await turn();
    expect(() => peers.updatePeers(namesOf(3))).toThrow(
      expect.objectContaining({ code: "CLOSED" }),
    );
  });
});

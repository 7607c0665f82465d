import { describe, expect, it } from "vitest";
import { discoveryOption, FollowedPeers } from "./followed-peers.ts";
import type { DiscoveringNode, PeerDiscovery } from "./peer-discovery.ts";

/** A custom discovery whose results the test sets. */
function follow(closing: () => void = () => {}) {
  let node: DiscoveringNode | undefined;
  let closed = 0;
  const discovery: PeerDiscovery = {
    start(given) {
      node = given;
    },
    close() {
      closed++;
      closing();
    },
  };
  const memberships: (readonly string[])[] = [];
  const warnings: string[] = [];
  const picker = {
    selfId: "self",
    updatePeers(ids: readonly string[]) {
      if (ids.includes("bad")) throw new Error("bad is not a node");
      memberships.push(ids);
    },
  };
  const onWarning = (message: string): void => void warnings.push(message);
  const followed = new FollowedPeers(picker, { discovery, onWarning });
  return { followed, memberships, warnings, find: node as DiscoveringNode, closed: () => closed };
}

describe("FollowedPeers", () => {
  it("applies the peers found, with this node added and duplicates removed", () => {
    const { find, memberships } = follow();
    expect(find.selfId).toBe("self");
    find.onPeers(["a", "b", "a"]);
    find.onPeers(["a", "self"]);
    expect(memberships).toEqual([
      ["self", "a", "b"],
      ["self", "a"],
    ]);
  });

  it("keeps the membership and warns when the peer list is invalid", () => {
    const { find, memberships, warnings } = follow();
    find.onPeers(["bad"]);
    find.onWarning("look out");
    expect(memberships).toEqual([]);
    expect(warnings).toEqual([
      "discovery returned an invalid peer list: bad is not a node",
      "look out",
    ]);
  });

  it("closes the discovery when updatePeers is called, and ignores its later results", () => {
    const { find, followed, memberships, warnings, closed } = follow();
    expect(() => followed.updatePeers(["bad"])).toThrow("bad is not a node");
    expect(closed()).toBe(0);
    followed.updatePeers(["self", "x"]);
    expect(closed()).toBe(1);
    find.onPeers(["self", "y"]);
    find.onWarning("too late");
    expect(memberships).toEqual([["self", "x"]]);
    expect(warnings).toEqual([]);
  });

  it("warns when the discovery fails to close", async () => {
    const { followed, warnings } = follow(() => {
      throw new Error("stuck");
    });
    await followed.close();
    expect(warnings).toEqual(["discovery failed to close: stuck"]);
  });

  it("works without a discovery", async () => {
    const memberships: (readonly string[])[] = [];
    const picker = {
      selfId: "self",
      updatePeers: (ids: readonly string[]) => void memberships.push(ids),
    };
    const followed = new FollowedPeers(picker, { discovery: undefined, onWarning: () => {} });
    followed.updatePeers(["self"]);
    await followed.close();
    expect(memberships).toEqual([["self"]]);
  });
});

it.each([[null], ["dns"], [{}], [{ start() {} }]])("discoveryOption rejects %j", (given) => {
  expect(() => discoveryOption(given as unknown as PeerDiscovery)).toThrow(
    expect.objectContaining({
      code: "INVALID_ARGUMENT",
      message: expect.stringMatching(/^discovery must have start and close/),
    }),
  );
});

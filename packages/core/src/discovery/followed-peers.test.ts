import { describe, expect, it } from "vitest";
import { discoveryOption, FollowedPeers } from "./followed-peers.ts";
import type { DiscoveringNode, PeerDiscovery } from "./peer-discovery.ts";

/** A discovery of a user's own, told by the test what it finds. */
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
      if (ids.includes("bad")) throw new Error("bad is no node");
      memberships.push(ids);
    },
  };
  const onWarning = (message: string): void => void warnings.push(message);
  const followed = new FollowedPeers(picker, { discovery, onWarning });
  return { followed, memberships, warnings, find: node as DiscoveringNode, closed: () => closed };
}

describe("peers that a discovery finds", () => {
  it("are taken with this node among them, each once", () => {
    const { find, memberships } = follow();
    expect(find.selfId).toBe("self");
    find.onPeers(["a", "b", "a"]);
    find.onPeers(["a", "self"]);
    expect(memberships).toEqual([
      ["self", "a", "b"],
      ["self", "a"],
    ]);
  });

  it("leave the membership as it is when they are of no use", () => {
    const { find, memberships, warnings } = follow();
    find.onPeers(["bad"]);
    find.onWarning("look out");
    expect(memberships).toEqual([]);
    expect(warnings).toEqual([
      "discovery returned an invalid peer list: bad is no node",
      "look out",
    ]);
  });

  it("count no more once a membership was given by hand, which ends the discovery", () => {
    const { find, followed, memberships, warnings, closed } = follow();
    expect(() => followed.updatePeers(["bad"])).toThrow("bad is no node");
    expect(closed()).toBe(0);
    followed.updatePeers(["self", "x"]);
    expect(closed()).toBe(1);
    find.onPeers(["self", "y"]);
    find.onWarning("too late");
    expect(memberships).toEqual([["self", "x"]]);
    expect(warnings).toEqual([]);
  });

  it("are told of a discovery that cannot be closed", async () => {
    const { followed, warnings } = follow(() => {
      throw new Error("stuck");
    });
    await followed.close();
    expect(warnings).toEqual(["discovery failed to close: stuck"]);
  });

  it("need no discovery", async () => {
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

it.each([[null], ["dns"], [{}], [{ start() {} }]])("%j is no discovery", (given) => {
  expect(() => discoveryOption(given as unknown as PeerDiscovery)).toThrow(
    expect.objectContaining({
      code: "INVALID_ARGUMENT",
      message: expect.stringMatching(/^discovery must have start and close/),
    }),
  );
});

import type { PeerPicker } from "@parsec/core";
import { expect } from "vitest";
import {
  type ContractCase,
  echo,
  lookupOf,
  nodeAt,
  peerBetween,
  textOf,
  until,
} from "./contract-case.ts";
import { specialKeys } from "./contract-keys.ts";

const keys: readonly string[] = [
  ...specialKeys.map(([, key]) => key),
  ...Array.from({ length: 1000 }, (_, index) => `user:${index}`),
];

function ownerOf(picker: PeerPicker, key: string): string {
  return picker.pick(key)?.id ?? picker.selfId;
}

function ownersOf(picker: PeerPicker): readonly string[] {
  return keys.map((key) => ownerOf(picker, key));
}

/** Membership and placement: requirements for every picker. */
export const pickerCases: readonly ContractCase[] = [
  {
    name: "lists every other member once, and not itself",
    async run(context) {
      const ids = context.nodes.map(({ picker }) => picker.selfId);
      expect(new Set(ids).size).toBe(ids.length);
      for (const { picker } of context.nodes) {
        const others = picker.peers().map((peer) => peer.id);
        expect([...others].sort()).toEqual(ids.filter((id) => id !== picker.selfId).sort());
      }
    },
  },
  {
    name: "every node names the same owner for every key",
    async run(context) {
      const [first, ...others] = context.nodes;
      const owners = ownersOf(first?.picker as PeerPicker);
      for (const other of others) expect(ownersOf(other.picker)).toEqual(owners);
      expect(new Set(owners).size, "every node owns at least one key").toBe(context.nodes.length);
    },
  },
  {
    name: "picks undefined for its own keys, and one of its peers for the others",
    async run(context) {
      for (const { picker } of context.nodes) {
        const peers = new Set(picker.peers().map((peer) => peer.id));
        const picked = keys.map((key) => picker.pick(key));
        expect(picked).toContain(undefined);
        for (const peer of picked) if (peer !== undefined) expect(peers).toContain(peer.id);
      }
    },
  },
  {
    name: "the order in which members are listed is irrelevant",
    async run(context) {
      const { picker } = nodeAt(context, 0);
      const owners = ownersOf(picker);
      const ids = context.nodes.map((node) => node.picker.selfId);
      picker.updatePeers([...ids].reverse());
      expect(ownersOf(picker)).toEqual(owners);
      picker.updatePeers([...ids.slice(1), ...ids.slice(0, 1)]);
      expect(ownersOf(picker)).toEqual(owners);
    },
  },
  {
    name: "updatePeers removes a member and takes it back, moving only its keys",
    async run(context) {
      const { picker } = nodeAt(context, 0);
      const ids = context.nodes.map((node) => node.picker.selfId);
      const removed = nodeAt(context, 2).picker.selfId;
      const before = ownersOf(picker);

      picker.updatePeers(ids.filter((id) => id !== removed));
      expect(picker.peers().map((peer) => peer.id)).not.toContain(removed);
      const meanwhile = ownersOf(picker);
      expect(meanwhile).not.toContain(removed);
      for (const [index, owner] of before.entries()) {
        if (owner !== removed) expect(meanwhile[index], keys[index] as string).toBe(owner);
      }

      picker.updatePeers(ids);
      expect(ownersOf(picker)).toEqual(before);
      const { host } = nodeAt(context, 2);
      host.onLookup(echo);
      const answer = await peerBetween(context, { from: 0, to: 2 }).lookup(lookupOf("back"));
      expect(textOf(answer)).toBe(textOf(echo(lookupOf("back"))));
    },
  },
  {
    name: "picks the owner that a key would have without a given member, the same on every node",
    async run(context) {
      const ids = context.nodes.map((node) => node.picker.selfId);
      for (const without of ids) {
        const owners = context.nodes.map(({ picker }) =>
          keys.map((key) => picker.pick(key, without)?.id ?? picker.selfId),
        );
        for (const named of owners) expect(named).toEqual(owners[0]);
        expect(owners[0]).not.toContain(without);
        const { picker } = nodeAt(context, without === ids[0] ? 1 : 0);
        picker.updatePeers(ids.filter((id) => id !== without));
        expect(ownersOf(picker)).toEqual(owners[0]);
        picker.updatePeers(ids);
      }
    },
  },
  {
    name: "a single node owns every key",
    async run(context) {
      const { picker } = nodeAt(context, 0);
      picker.updatePeers([picker.selfId]);
      expect(picker.peers()).toEqual([]);
      for (const key of keys) {
        expect(picker.pick(key)).toBeUndefined();
        expect(picker.pick(key, picker.selfId)).toBeUndefined();
      }
    },
  },
  {
    name: "rejects a membership without itself, and keeps the current one",
    async run(context) {
      const { picker } = nodeAt(context, 0);
      const owners = ownersOf(picker);
      const others = picker.peers().map((peer) => peer.id);
      for (const ids of [others, []]) {
        expect(() => picker.updatePeers(ids)).toThrow(
          expect.objectContaining({ code: "INVALID_ARGUMENT" }),
        );
      }
      expect(ownersOf(picker)).toEqual(owners);
    },
  },
  {
    name: "a member that is listed twice counts once, or the list is rejected",
    async run(context) {
      const { picker } = nodeAt(context, 0);
      const owners = ownersOf(picker);
      const ids = context.nodes.map((node) => node.picker.selfId);
      try {
        picker.updatePeers([...ids, ...ids]);
      } catch (error) {
        expect(error).toMatchObject({ code: "INVALID_ARGUMENT" });
      }
      expect(picker.peers()).toHaveLength(ids.length - 1);
      expect(ownersOf(picker)).toEqual(owners);
    },
  },
  {
    name: "a membership change does not disturb lookups in flight to members that stay",
    async run(context) {
      const { picker } = nodeAt(context, 0);
      const { host } = nodeAt(context, 1);
      let release = (): void => {};
      host.onLookup(
        (lookup) =>
          new Promise((resolve) => {
            release = () => resolve(echo(lookup));
          }),
      );
      const pending = peerBetween(context, { from: 0, to: 1 }).lookup(lookupOf("slow"));
      await until(() => host.lookups.length === 1);
      picker.updatePeers([picker.selfId, nodeAt(context, 1).picker.selfId]);
      release();
      expect(textOf(await pending)).toBe(textOf(echo(lookupOf("slow"))));
    },
  },
];

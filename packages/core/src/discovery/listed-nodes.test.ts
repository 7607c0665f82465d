import { expect, it } from "vitest";
import { ListedNodes } from "./listed-nodes.ts";

const set = (...ids: string[]): Set<string> => new Set(ids);

it("returns whether an answer changed the members, which are sorted", () => {
  const nodes = new ListedNodes(1);
  expect(nodes.apply(set("b", "a"))).toBe(true);
  expect(nodes.apply(set("a", "b"))).toBe(false);
  expect(nodes.ids()).toEqual(["a", "b"]);
  expect(nodes.apply(set("a"))).toBe(true);
  expect(nodes.ids()).toEqual(["a"]);
});

it("drops a node after several consecutive answers without it", () => {
  const nodes = new ListedNodes(3);
  nodes.apply(set("a", "b"));
  const answers = [set("a"), set("a"), set("a", "b"), set("a"), set("a"), set("a")];
  expect(answers.map((answer) => nodes.apply(answer))).toEqual([
    false,
    false,
    false,
    false,
    false,
    true,
  ]);
  expect(nodes.ids()).toEqual(["a"]);
});

it("drops one node and adds another in the same answer", () => {
  const nodes = new ListedNodes(1);
  nodes.apply(set("a", "b", "c"));
  expect(nodes.apply(set("a", "d"))).toBe(true);
  expect(nodes.ids()).toEqual(["a", "d"]);
});

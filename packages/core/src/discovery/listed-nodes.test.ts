import { expect, it } from "vitest";
import { ListedNodes } from "./listed-nodes.ts";

const set = (...ids: string[]): Set<string> => new Set(ids);

it("says of each answer whether it changed anything, and sorts", () => {
  const nodes = new ListedNodes(1);
  expect(nodes.hear(set("b", "a"))).toBe(true);
  expect(nodes.hear(set("a", "b"))).toBe(false);
  expect(nodes.ids()).toEqual(["a", "b"]);
  expect(nodes.hear(set("a"))).toBe(true);
  expect(nodes.ids()).toEqual(["a"]);
});

it("drops a node that several answers in a row are without, counting anew when one has it", () => {
  const nodes = new ListedNodes(3);
  nodes.hear(set("a", "b"));
  const answers = [set("a"), set("a"), set("a", "b"), set("a"), set("a"), set("a")];
  expect(answers.map((answer) => nodes.hear(answer))).toEqual([
    false,
    false,
    false,
    false,
    false,
    true,
  ]);
  expect(nodes.ids()).toEqual(["a"]);
});

it("drops one and takes another by the same answer", () => {
  const nodes = new ListedNodes(1);
  nodes.hear(set("a", "b", "c"));
  expect(nodes.hear(set("a", "d"))).toBe(true);
  expect(nodes.ids()).toEqual(["a", "d"]);
});

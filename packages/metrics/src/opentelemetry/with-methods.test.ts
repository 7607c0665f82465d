import { expect, it } from "vitest";
import { withMethods } from "./with-methods.ts";

class Counter {
  readonly name: string = "counter";
  #count = 0;

  get count(): number {
    return this.#count;
  }

  add(): number {
    return ++this.#count;
  }

  reset(): void {
    this.#count = 0;
  }

  declare missing?: () => void;
}

it("replaces the given methods, and passes all others through, including those with private fields", () => {
  const counter: Counter = new Counter();
  Object.freeze(counter);
  const doubled = withMethods(counter, {
    add: () => {
      counter.add();
      return counter.add();
    },
  });
  expect(doubled.add()).toBe(2);
  expect(doubled.count).toBe(2);
  expect(doubled.name).toBe("counter");
  const { reset } = doubled;
  reset();
  expect(counter.count).toBe(0);
  expect(doubled.reset).toBe(reset);
});

it("has the same members as the target", () => {
  const wrapped = withMethods(new Counter(), {});
  expect("reset" in wrapped).toBe(true);
  expect("missing" in wrapped).toBe(false);
  expect(wrapped.missing).toBeUndefined();
});

import { describe, expect, it } from "vitest";
import { createPlacement } from "./create-placement.ts";

const ids = ["http://a", "http://b", "http://c"];
const keys = Array.from({ length: 500 }, (_, index) => `user:${index}`);

const names = ["slots", "groupcache", "mailgun", "groupcache-go"] as const;

describe.each(names)("a placement by %s without a member", (name) => {
  const placement = createPlacement(name, ids);

  it("is the placement of the other members, and moves no keys of others", () => {
    for (const gone of ids) {
      const others = createPlacement(
        name,
        ids.filter((id) => id !== gone),
      );
      for (const key of keys) {
        const owner = placement.ownerOf(key);
        expect(placement.ownerOf(key, gone)).toBe(others.ownerOf(key));
        if (owner !== gone) expect(placement.ownerOf(key, gone)).toBe(owner);
      }
    }
  });

  it("ignores an unknown member and the only member", () => {
    const alone = createPlacement(name, ["http://a"]);
    for (const key of keys) {
      expect(placement.ownerOf(key, "http://d")).toBe(placement.ownerOf(key));
      expect(alone.ownerOf(key, "http://a")).toBe("http://a");
    }
  });
});

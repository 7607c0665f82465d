import { describe, expect, it } from "vitest";
import { completeNames, parseResolvConf, systemSearch } from "./dns-search.ts";

describe("parseResolvConf", () => {
  it("parses the file that Kubernetes writes", () => {
    const text =
      "search shop.svc.cluster.local svc.cluster.local cluster.local\nnameserver 10.96.0.10\noptions ndots:5\n";
    expect(parseResolvConf(text)).toEqual({
      domains: ["shop.svc.cluster.local", "svc.cluster.local", "cluster.local"],
      ndots: 5,
    });
  });

  it.each([
    ["", [], 1],
    ["search .\n", [], 1],
    ["  domain\tshop.example.  \n", ["shop.example"], 1],
    ["search a.example\nsearch b.example c.example", ["b.example", "c.example"], 1],
    ["options edns0 ndots:0 trust-ad", [], 0],
    ["options ndots:99", [], 15],
    ["options ndots:-1 ndots:x", [], 1],
    ["# search a.example\n; search b.example\nsearching c.example\n\0", [], 1],
  ])("reads %j", (text, domains, ndots) => {
    expect(parseResolvConf(text)).toEqual({ domains, ndots });
  });

  it("reads the file of this machine, if there is one", async () => {
    const { domains, ndots } = await systemSearch();
    expect(Array.isArray(domains)).toBe(true);
    expect(ndots).toBeLessThanOrEqual(15);
  });
});

describe("completeNames", () => {
  const search = { domains: ["a.example", "b.example"], ndots: 2 };

  it("tries the domains first for a name with few dots", () => {
    expect(completeNames("x.y", search)).toEqual(["x.y.a.example", "x.y.b.example", "x.y"]);
  });

  it("tries a name with enough dots first", () => {
    expect(completeNames("x.y.z", search)).toEqual(["x.y.z", "x.y.z.a.example", "x.y.z.b.example"]);
  });

  it("treats a name with a trailing dot as fully qualified", () => {
    expect(completeNames("x.", search)).toEqual(["x"]);
  });

  it("omits names that would be too long", () => {
    const long = `${"x".repeat(60)}.`.repeat(4).slice(0, -1);
    expect(completeNames(long, search)).toEqual([
      `${long}`,
      `${long}.a.example`,
      `${long}.b.example`,
    ]);
    const longer = `${"y".repeat(10)}.${long}`;
    expect(completeNames(longer, search)).toEqual([longer]);
  });
});

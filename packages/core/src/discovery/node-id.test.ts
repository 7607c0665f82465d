import { describe, expect, it } from "vitest";
import { checkedNodeId, isHostName } from "./node-id.ts";

describe("checkedNodeId", () => {
  it.each([
    ["http://10.0.0.7:8080", 4, "10.0.0.8", "http://10.0.0.8:8080"],
    ["https://10.0.0.7", 4, "10.0.0.8", "https://10.0.0.8"],
    ["10.0.0.7:50051", 4, "10.0.0.8", "10.0.0.8:50051"],
    ["10.0.0.7", 4, "10.0.0.8", "10.0.0.8"],
    ["grpc://[fd00::7]:50051", 6, "FD00:0:0:0::8", "grpc://[fd00::8]:50051"],
  ] as const)("derives from %s (IPv%d) and host %s the id %s", (selfId, family, host, id) => {
    const idFormat = checkedNodeId(selfId, "address");
    expect(idFormat.family).toBe(family);
    expect(idFormat.idOf(host)).toBe(id);
  });

  it("uses the port of each SRV record", () => {
    const idFormat = checkedNodeId("http://node-1:8080", "srv");
    expect(idFormat.family).toBeUndefined();
    expect(idFormat.idOf("Node-2.Shop.Example.", 81)).toBe("http://node-2.shop.example:81");
  });

  it.each([
    "",
    ".",
    "..",
    "a..b",
    "a b",
    "a/b",
    "a:1",
    "é",
    "0.0.0.0",
    "::",
    "fe80::1%eth0",
    "x".repeat(64),
    "x.".repeat(150),
  ])("rejects the host %j", (host) => {
    expect(checkedNodeId("http://node-1:8080", "srv").idOf(host, 80)).toBeUndefined();
  });

  it.each([
    ["http://node-1:8080", "address", /must contain this node's address/],
    ["http://node-1", "srv", /must contain a port/],
    ["http://Node-1:8080", "srv", /must be spelled .*"http:\/\/node-1:8080", because placement/],
    ["http://node-1:08080", "srv", /must be spelled .*"http:\/\/node-1:8080", because placement/],
    ["http://node-1.:8080", "srv", /must be spelled .*"http:\/\/node-1:8080", because placement/],
    ["http://user@10.0.0.1:8080", "address", /host and port/],
    ["http://10.0.0.1:8080/path", "address", /host and port/],
    ["", "address", /host and port/],
  ] as const)("refuses %j by %s", (selfId, record, message) => {
    expect(() => checkedNodeId(selfId, record)).toThrow(
      expect.objectContaining({
        code: "INVALID_ARGUMENT",
        message: expect.stringMatching(message),
      }),
    );
  });
});

it("checks long hostile names without backtracking", () => {
  expect(isHostName(`${"a".repeat(60)}!`.repeat(1000))).toBe(false);
  expect(isHostName("a-".repeat(125))).toBe(false);
  expect(isHostName("_http._tcp.parsec.example.")).toBe(true);
});

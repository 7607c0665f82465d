import { checkMembership } from "@parsec/core/transport";
import { describe, expect, it } from "vitest";
import { addressOf, grpcUrls, hostAndPort } from "./grpc-urls.ts";

const self = "grpc://node-1:50051";

function refusal(selfUrl: unknown, peerUrls: unknown): string {
  try {
    checkMembership({ selfUrl: selfUrl as string, peerUrls: peerUrls as string[] }, grpcUrls);
  } catch (error) {
    expect(error).toMatchObject({ code: "INVALID_ARGUMENT" });
    return (error as Error).message;
  }
  return "accepted";
}

describe("the list of nodes", () => {
  it.each([
    [["grpc://node-1:50051", "grpc://node-2:50051"]],
    [["node-2:50051", "node-1:50051"]],
    [["grpcs://node-1:443"]],
    [["http://node-1:8080", "http://node-2"]],
    [["https://node-1", "https://node-2:8443"]],
    [["[::1]:50051", "127.0.0.1:50051"]],
  ])("of %j is accepted unchanged", (ids) => {
    expect(checkMembership({ selfUrl: ids[0] as string, peerUrls: ids }, grpcUrls)).toEqual({
      selfId: ids[0],
      ids,
    });
  });

  it("loses trailing slashes, which are not hashed", () => {
    expect(
      checkMembership({ selfUrl: `${self}/`, peerUrls: [self, "node-2:1/"] }, grpcUrls),
    ).toEqual({
      selfId: self,
      ids: [self, "node-2:1"],
    });
  });

  it.each([
    [
      "a self that is not listed",
      "node-1:1",
      ["node-2:1"],
      /peerUrls must list every node.*selfUrl is "node-1:1"/,
    ],
    ["an empty list", "node-1:1", [], /peerUrls must list every node.*got nothing/],
    [
      "a node listed twice",
      "node-1:1",
      ["node-1:1", "node-1:1"],
      /must not contain duplicates, got "node-1:1" twice/,
    ],
    [
      "a node listed under two spellings",
      "node-1:1",
      ["node-1:1", "grpc://NODE-1:1"],
      /must list each node once, got "node-1:1" and "grpc:\/\/NODE-1:1"/,
    ],
    [
      "a self in another spelling",
      "grpc://node-1:1",
      ["node-1:1"],
      /selfUrl must be spelled as in peerUrls, "node-1:1".*got "grpc:\/\/node-1:1"/,
    ],
    ["a string as the list", "node-1:1", "node-1:1", /peerUrls must be an array/],
    ["a number", 7, ["node-1:1"], /selfUrl must be an address, got 7/],
    ["a missing port", "node-1", ["node-1"], /selfUrl must have a port/],
    ["a port over 65535", "node-1:65536", [], /selfUrl must have a port/],
    ["port 0", "node-1:0", [], /selfUrl must have a port/],
    ["another scheme", "nats://node-1:1", [], /selfUrl must be an address such as/],
    ["a path", "grpc://node-1:1/x", [], /selfUrl must be an address such as/],
    ["a query", "grpc://node-1:1?x", [], /selfUrl must be an address such as/],
    ["spaces", "node 1:1", [], /selfUrl must be an address such as/],
    ["nothing before the port", ":1", [], /selfUrl must be an address such as/],
    ["IPv6 without brackets", "::1:50051", [], /selfUrl must be an address such as/],
    ["an invalid peer", "node-1:1", ["node-1:1", "x"], /peerUrls\[1\] must have a port/],
  ])("with %s is rejected", (_, selfUrl, peerUrls, message) => {
    expect(refusal(selfUrl, peerUrls)).toMatch(message);
  });

  it("is rejected with credentials, which the message does not contain", () => {
    const message = refusal("grpc://user:hunter2@node-1:1", []);
    expect(message).toContain("must not contain credentials");
    expect(message).not.toContain("hunter2");
  });
});

describe("an address", () => {
  it.each([
    ["node-1:50051", { host: "node-1", port: 50051, secure: undefined }],
    ["grpc://Node-1:50051", { host: "node-1", port: 50051, secure: false }],
    ["GRPCS://node-1:50051", { host: "node-1", port: 50051, secure: true }],
    ["http://node-1", { host: "node-1", port: 80, secure: false }],
    ["https://node-1", { host: "node-1", port: 443, secure: true }],
    ["grpc://[FE80::1]:7", { host: "fe80::1", port: 7, secure: false }],
  ])("is parsed from %s", (id, address) => {
    expect(addressOf(id)).toEqual(address);
  });

  it("is formatted with brackets for IPv6", () => {
    expect([hostAndPort("::1", 7), hostAndPort("node-1", 7)]).toEqual(["[::1]:7", "node-1:7"]);
  });
});

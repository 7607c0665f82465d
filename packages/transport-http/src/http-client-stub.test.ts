import { expect, it, vi } from "vitest";
import { createHttpPeers } from "./http-peers.ts";

// What Bun 1.4 gives to whom imports "undici": a class that can be constructed and does nothing.
vi.mock("undici/index.js", () => ({ Pool: class Pool {} }));

it("refuses to start on a runtime that replaces undici by a stub, and names gRPC", () => {
  const selfUrl = "http://127.0.0.1:8081";
  expect(() => createHttpPeers({ selfUrl, peerUrls: [selfUrl] })).toThrow(
    expect.objectContaining({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining("@parsec/transport-grpc"),
    }),
  );
});

import { expect, it, vi } from "vitest";
import { createHttpPeers } from "./http-peers.ts";

// As Bun 1.4 resolves "undici": a class that can be constructed and does nothing.
vi.mock("undici/index.js", () => ({ Pool: class Pool {} }));

it("throws on a runtime that replaces undici with a stub, and suggests gRPC", () => {
  const selfUrl = "http://127.0.0.1:8081";
  expect(() => createHttpPeers({ selfUrl, peerUrls: [selfUrl] })).toThrow(
    expect.objectContaining({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining("@parsec/transport-grpc"),
    }),
  );
});

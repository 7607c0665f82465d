import { createRequestSigner } from "@parsec/core/transport";
import { describe, expect, it } from "vitest";
import { SignedCall } from "./grpc-auth.ts";
import { StreamSeal, sealBytes } from "./grpc-seal.ts";

const signer = createRequestSigner({
  secret: "a secret for this test only",
  receiver: "node-2:1",
  wallNow: () => 0,
});
const sign = (path: string): SignedCall => new SignedCall(signer(path));

function ends(call: SignedCall = sign("/a/Stream")) {
  return { client: new StreamSeal(call, "client"), owner: new StreamSeal(call, "owner") };
}

const messages = ["first", "second", "second", ""].map((text) => Buffer.from(text));

describe("the sealed messages of a stream", () => {
  it("are opened in the order they were sealed, in both directions", () => {
    const { client, owner } = ends();
    for (const message of messages) {
      const sealed = client.seal(message);
      expect(sealed.length).toBe(message.length + sealBytes);
      expect(owner.open(sealed)).toEqual(message);
      expect(client.open(owner.seal(message))).toEqual(message);
    }
  });

  it("are rejected when one was altered", () => {
    const sealed = ends().client.seal(messages[0] as Buffer);
    for (let index = 0; index < sealed.length; index++) {
      const call = sign("/a/Stream");
      const altered = ends(call).client.seal(messages[0] as Buffer);
      (altered[index] as number) ^= 1;
      expect(ends(call).owner.open(altered), `byte ${index}`).toBeUndefined();
    }
  });

  it.each([
    ["dropped", [1]],
    ["sent twice", [0, 0]],
    ["swapped", [1, 0]],
  ])("are rejected when one was %s", (_, order) => {
    const { client, owner } = ends();
    const sealed = messages.map((message) => client.seal(message));
    const opened = order.map((index) => owner.open(sealed[index] as Buffer));
    expect(opened).toContain(undefined);
  });

  it("are valid for their stream and direction only", () => {
    const { client } = ends();
    const sealed = client.seal(messages[0] as Buffer);
    expect(ends().owner.open(sealed)).toBeUndefined();
    expect(client.open(sealed)).toBeUndefined();
  });

  it("are rejected when they are too short for a MAC", () => {
    expect(ends().owner.open(Buffer.alloc(sealBytes - 1))).toBeUndefined();
  });
});

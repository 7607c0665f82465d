import { describe, expect, it } from "vitest";
import { createCallSigner, type SignedCall } from "./grpc-auth.ts";
import { StreamSeal, sealBytes } from "./grpc-seal.ts";

const sign = createCallSigner({
  secret: "a secret for this test only",
  receiver: "node-2:1",
  wallNow: () => 0,
});

function ends(call: SignedCall = sign("/a/Stream")) {
  return { asker: new StreamSeal(call, "asker"), owner: new StreamSeal(call, "owner") };
}

const messages = ["first", "second", "second", ""].map((text) => Buffer.from(text));

describe("the messages of a stream", () => {
  it("are opened in the order they were sealed, both ways", () => {
    const { asker, owner } = ends();
    for (const message of messages) {
      const sealed = asker.seal(message);
      expect(sealed.length).toBe(message.length + sealBytes);
      expect(owner.open(sealed)).toEqual(message);
      expect(asker.open(owner.seal(message))).toEqual(message);
    }
  });

  it("are not opened when one was changed", () => {
    const sealed = ends().asker.seal(messages[0] as Buffer);
    for (let index = 0; index < sealed.length; index++) {
      const call = sign("/a/Stream");
      const altered = ends(call).asker.seal(messages[0] as Buffer);
      (altered[index] as number) ^= 1;
      expect(ends(call).owner.open(altered), `byte ${index}`).toBeUndefined();
    }
  });

  it.each([
    ["left out", [1]],
    ["sent twice", [0, 0]],
    ["swapped", [1, 0]],
  ])("are not opened when one was %s", (_, order) => {
    const { asker, owner } = ends();
    const sealed = messages.map((message) => asker.seal(message));
    const opened = order.map((index) => owner.open(sealed[index] as Buffer));
    expect(opened).toContain(undefined);
  });

  it("are of their stream and direction alone", () => {
    const { asker } = ends();
    const sealed = asker.seal(messages[0] as Buffer);
    expect(ends().owner.open(sealed)).toBeUndefined();
    expect(asker.open(sealed)).toBeUndefined();
  });

  it("are not opened when they are too short for a proof", () => {
    expect(ends().owner.open(Buffer.alloc(sealBytes - 1))).toBeUndefined();
  });
});

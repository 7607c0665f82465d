import { expect, it } from "vitest";
import { MessageSigner, MessageVerifier } from "./nats-auth.ts";
import { bodyOffset, MessageWriter, readMessage } from "./nats-wire.ts";

const addressed = { subject: "parsec.c.n.ask", reply: "parsec.c.m.reply.s.1" };
const windowMs = 30_000;

function setup(secrets = ["the secret of all nodes"]) {
  const clock = { now: 1_700_000_000_000 };
  const wallNow = () => clock.now;
  const signer = new MessageSigner({ secret: "the secret of all nodes", wallNow });
  const verifier = new MessageVerifier({ secrets, windowMs, wallNow });
  const signed = (text = "hello"): Buffer => {
    const writer = new MessageWriter({ session: 5, signed: true });
    const bytes = writer.begin({ kind: "ask", piece: 0, last: true }, text.length);
    bytes.write(text, bodyOffset(true));
    signer.sign(bytes, addressed);
    return bytes;
  };
  return { clock, verifier, signed };
}

it("accepts messages that are signed with any of its keys, for their subjects", () => {
  const { signed, verifier } = setup(["another secret, older", "the secret of all nodes"]);
  const message = readMessage(signed());
  expect(verifier.isGenuine(message, addressed)).toBe(true);
  expect(verifier.isGenuine(message, { ...addressed, subject: "parsec.c.other.ask" })).toBe(false);
  expect(verifier.isGenuine(message, { ...addressed, reply: "parsec.c.m.reply.s.2" })).toBe(false);
  expect(setup(["another secret, older"]).verifier.isGenuine(message, addressed)).toBe(false);
});

it("rejects a message in which any byte was changed", () => {
  const { signed, verifier } = setup();
  const bytes = signed();
  for (let index = 0; index < bytes.length; index++) {
    const tampered = Buffer.from(bytes);
    tampered[index] = (tampered[index] as number) ^ 1;
    let genuine = false;
    try {
      genuine = verifier.isGenuine(readMessage(tampered), addressed);
    } catch {
      // Not a valid message.
    }
    expect(genuine, `byte ${index}`).toBe(false);
  }
  const longer = Buffer.concat([bytes, Buffer.from("x")]);
  expect(verifier.isGenuine(readMessage(longer), addressed)).toBe(false);
});

it("rejects unsigned messages", () => {
  const { verifier } = setup();
  const writer = new MessageWriter({ session: 5, signed: false });
  const bytes = writer.begin({ kind: "ask", piece: 0, last: true }, 0);
  expect(verifier.isGenuine(readMessage(bytes), addressed)).toBe(false);
});

it("accepts each message once, within its time limit", () => {
  const { signed, verifier, clock } = setup();
  const [first, second, third, fourth] = [signed(), signed(), signed(), signed()].map(readMessage);
  expect(verifier.isFresh(second as never)).toBe(true);
  expect(verifier.isFresh(first as never)).toBe(true);
  expect(verifier.isFresh(first as never)).toBe(false);
  clock.now += windowMs;
  expect(verifier.isFresh(third as never)).toBe(true);
  clock.now += 1;
  expect(verifier.isFresh(fourth as never)).toBe(false);
  clock.now -= 3 * windowMs;
  expect(verifier.isFresh(readMessage(signed()))).toBe(true);
  clock.now -= 2 * windowMs;
  expect(verifier.isFresh(fourth as never)).toBe(false);
});

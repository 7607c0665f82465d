import { isParsecError, ParsecError } from "../../errors.ts";
import { isErrorCode } from "./layout.ts";
import type { NodeBuffer } from "./node-buffer.ts";

/** Longer messages are cut. */
const maxMessageLength = 512;

/** Encodes the error with which a node refuses a whole frame. Errors other than `ParsecError` are sent without their message. */
export function encodeRefusal(error: unknown): NodeBuffer {
  const { code, message } = isParsecError(error)
    ? error
    : new ParsecError("ORIGIN_FAILED", "internal error on the peer (see its log)");
  return Buffer.from(`${code} ${message.slice(0, maxMessageLength)}`, "utf8");
}

/** Decodes a refusal: `OVERLOADED`, or `PEER_UNREACHABLE` with the peer's own error as cause. */
export function readRefusal(peerId: string, bytes: Uint8Array): ParsecError {
  const text = Buffer.from(bytes.subarray(0, 4 * maxMessageLength)).toString("utf8");
  const [code = "", ...words] = text.split(" ");
  if (!isErrorCode(code)) {
    return new ParsecError("PEER_UNREACHABLE", `${peerId} refused a frame for an unknown reason`);
  }
  const message = words.join(" ").slice(0, maxMessageLength);
  return new ParsecError(
    code === "OVERLOADED" ? code : "PEER_UNREACHABLE",
    `${peerId} refused a frame: ${code}: ${message}`,
    { cause: new ParsecError(code, message) },
  );
}

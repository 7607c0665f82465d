import { isParsecError, ParsecError } from "../../errors.ts";
import { isErrorCode } from "./layout.ts";
import type { NodeBuffer } from "./node-buffer.ts";

/** As much of a message as travels and is repeated. */
const maxMessageLength = 512;

/** The bytes by which a node says why it does not answer a whole frame. Messages of foreign errors stay here. */
export function encodeRefusal(error: unknown): NodeBuffer {
  const { code, message } = isParsecError(error)
    ? error
    : new ParsecError("ORIGIN_FAILED", "internal error on the peer (see its log)");
  return Buffer.from(`${code} ${message.slice(0, maxMessageLength)}`, "utf8");
}

/** The error of a frame that the peer refused: `OVERLOADED`, or `PEER_UNREACHABLE` with the peer's own as its cause. */
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

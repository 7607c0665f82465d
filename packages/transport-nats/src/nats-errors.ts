import { isParsecError, ParsecError } from "@parsec/core";
import { isErrorCode } from "@parsec/core/transport";
import { causedBy, describeError } from "@parsec/nats";

/** As much of a refusal's text as is repeated in an error here. */
const maxQuoted = 200;

/** Errors of the NATS client by name: a connection given to us may come from another copy of it. */
const reasons: Readonly<Record<string, string>> = {
  NoResponders: "nobody serves under its name",
  ClosedConnectionError: "the connection to NATS was closed",
  DrainingConnectionError: "the connection to NATS is closing",
  PermissionViolationError: "NATS does not permit it",
  MALFORMED_FRAME: "its answer cannot be read",
  FRAME_TOO_LARGE: "its answer is larger than allowed",
};

/** Turns whatever went wrong on the way to a peer into `PEER_UNREACHABLE`, with the cause kept. */
export function unreachable(peerId: string, cause: unknown): ParsecError {
  if (isParsecError(cause) && cause.code === "PEER_UNREACHABLE") return cause;
  const reason = reasons[nameOf(cause)];
  const detail = reason === undefined || isParsecError(cause) ? [describeError(cause)] : [];
  const why = [reason, ...detail].filter((part) => part !== undefined).join(": ");
  return new ParsecError("PEER_UNREACHABLE", `${peerId} cannot be asked: ${why}`, { cause });
}

/** The server says that nobody has subscribed to the peer's subject. */
export function noResponders(peerId: string): ParsecError {
  return new ParsecError(
    "PEER_UNREACHABLE",
    `${peerId} cannot be asked: ${reasons.NoResponders} at the moment`,
  );
}

/** This node has no connection to NATS, so that no peer can be asked. */
export function notConnected(peerId: string, why: ParsecError | undefined): ParsecError {
  const detail = why === undefined ? "" : `: ${why.message}`;
  return new ParsecError(
    "PEER_UNREACHABLE",
    `${peerId} cannot be asked: this node is not connected to NATS${detail}`,
    { cause: why },
  );
}

/** The peer left the cluster, or fell silent for so long that it counts as gone. */
export function noMember(peerId: string): ParsecError {
  return new ParsecError("PEER_UNREACHABLE", `${peerId} cannot be asked: it is no member any more`);
}

/** A question or its answer went missing: NATS delivers at most once. */
export function lost(peerId: string, what: string): ParsecError {
  return new ParsecError("PEER_UNREACHABLE", `${peerId} cannot be asked: ${what} was lost`);
}

/** What an endpoint that refuses to answer says instead. */
export function refusalText(error: ParsecError): string {
  return `${error.code}\n${error.message.slice(0, maxQuoted)}`;
}

/** What a peer meant by it. `OVERLOADED` stays; the rest is `PEER_UNREACHABLE`. */
export function refusedBy(peerId: string, text: string): ParsecError {
  const [code = "", message = ""] = text.slice(0, 64 + maxQuoted).split("\n", 2);
  if (!isErrorCode(code)) {
    return new ParsecError(
      "PEER_UNREACHABLE",
      `${peerId} refused in a way this version cannot read`,
    );
  }
  const said = `${peerId} refused with ${code}: ${message}`;
  if (code === "OVERLOADED") return new ParsecError(code, said);
  const cause = new ParsecError(code, message);
  return new ParsecError("PEER_UNREACHABLE", said, { cause });
}

function nameOf(error: unknown): string {
  if (isParsecError(error)) return error.code;
  for (const name of Object.keys(reasons)) if (causedBy(error, name)) return name;
  return "";
}

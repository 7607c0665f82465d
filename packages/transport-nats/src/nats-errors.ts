import { isParsecError, ParsecError } from "@parsec/core";
import { causedBy, describeError } from "@parsec/nats";

/** Errors of the NATS client by name, because a connection of the application may come from another copy of it. */
const reasons: Readonly<Record<string, string>> = {
  NoResponders: "no node serves under this name",
  ClosedConnectionError: "the connection to NATS was closed",
  DrainingConnectionError: "the connection to NATS is closing",
  PermissionViolationError: "a permission of NATS is missing",
  MALFORMED_FRAME: "its answer cannot be read",
  FRAME_TOO_LARGE: "its answer is larger than allowed",
};

/** Translates an error of a request to a peer into `PEER_UNREACHABLE`, and keeps it as the cause. */
export function unreachable(peerId: string, cause: unknown): ParsecError {
  if (isParsecError(cause) && cause.code === "PEER_UNREACHABLE") return cause;
  const reason = reasons[nameOf(cause)];
  const detail = reason === undefined || isParsecError(cause) ? [describeError(cause)] : [];
  const why = [reason, ...detail].filter((part) => part !== undefined).join(": ");
  return new ParsecError("PEER_UNREACHABLE", `${peerId} cannot be asked: ${why}`, { cause });
}

/** The error when the server reports that no node has subscribed to the peer's subject. */
export function noResponders(peerId: string): ParsecError {
  return new ParsecError(
    "PEER_UNREACHABLE",
    `${peerId} cannot be asked: ${reasons.NoResponders} at the moment`,
  );
}

/** The error of all requests while this node is not connected to NATS. */
export function notConnected(peerId: string, why: ParsecError | undefined): ParsecError {
  const detail = why === undefined ? "" : `: ${why.message}`;
  return new ParsecError(
    "PEER_UNREACHABLE",
    `${peerId} cannot be asked: this node is not connected to NATS${detail}`,
    { cause: why },
  );
}

/** The error when the peer has left the cluster, or was dropped for its silence. */
export function noMember(peerId: string): ParsecError {
  return new ParsecError(
    "PEER_UNREACHABLE",
    `${peerId} cannot be asked: it is not a member any more`,
  );
}

/** The error when a request or its answer was lost: NATS delivers at most once. */
export function lost(peerId: string, what: string): ParsecError {
  return new ParsecError("PEER_UNREACHABLE", `${peerId} cannot be asked: ${what} was lost`);
}

function nameOf(error: unknown): string {
  if (isParsecError(error)) return error.code;
  for (const name of Object.keys(reasons)) if (causedBy(error, name)) return name;
  return "";
}

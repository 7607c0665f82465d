import { ParsecError } from "@parsec/core";
import { type FieldReader, fieldsOf, malformed, parseRecord } from "./json-fields.ts";
import type { Recovery, RingTable, TableMember, TablePart } from "./ring-table.ts";
import { tableLimits } from "./table-limits.ts";

/*
 * JSON, so that the tools of NATS can show it. A partition is a list of [owner, backups, epoch, next, flags]; nodes
 * are given by their index among the members, -1 for none.
 */

const version = 1;
const recoveries: readonly Recovery[] = ["none", "backups", "everyone"];
const lostFlag = 4;

export function encodeTable(table: RingTable): Uint8Array {
  const placeOf = new Map(table.members.map(({ id }, place) => [id, place]));
  const place = (id: string | undefined): number => {
    if (id === undefined) return -1;
    const found = placeOf.get(id);
    if (found === undefined) {
      throw new ParsecError("INVALID_ARGUMENT", `the table names ${id}, which is not a member`);
    }
    return found;
  };
  const { incarnation, epoch, replicas, members } = table;
  const parts = table.parts.map((part) => [
    place(part.owner),
    part.backups.map(place),
    part.epoch,
    place(part.next),
    recoveries.indexOf(part.recovery) + (part.lost ? lostFlag : 0),
  ]);
  const record = { v: version, incarnation, epoch, partitions: parts.length, replicas };
  const bytes = Buffer.from(JSON.stringify({ ...record, members, parts }));
  if (bytes.length > tableLimits.maxTableBytes) {
    const message = `the table must be at most ${tableLimits.maxTableBytes} bytes, got ${bytes.length}: use fewer partitions`;
    throw new ParsecError("FRAME_TOO_LARGE", message);
  }
  return bytes;
}

/** Decodes a table. Throws `MALFORMED_FRAME` or `FRAME_TOO_LARGE` unless it is valid and of this version. */
export function decodeTable(bytes: Uint8Array): RingTable {
  const what = "the ring's table";
  const fields = parseRecord(bytes, { what, maxBytes: tableLimits.maxTableBytes });
  const written = fields.integer("v", {});
  if (written !== version) {
    const message = `${what} has format ${written}; this version supports ${version} only`;
    throw new ParsecError("MALFORMED_FRAME", message);
  }
  const partitions = fields.integer("partitions", { min: 1, max: tableLimits.maxPartitions });
  const members = decodeMembers(fields, what);
  const exactly = { min: partitions, max: partitions };
  const parts = fields.list("parts", exactly).map((part, number) =>
    decodePart(part, {
      what: `${what}: part ${number}`,
      members,
    }),
  );
  return {
    incarnation: fields.text("incarnation", { min: 1, max: tableLimits.maxNameBytes }),
    epoch: fields.integer("epoch", { min: 1 }),
    replicas: fields.integer("replicas", { min: 1, max: tableLimits.maxReplicas }),
    members,
    parts,
  };
}

function decodeMembers(fields: FieldReader, what: string): readonly TableMember[] {
  const { maxNameBytes, maxAddressBytes, maxWeight, maxMembers } = tableLimits;
  const members = fields.list("members", { max: maxMembers }).map((given, place) => {
    const member = fieldsOf(given, `${what}: member ${place}`);
    return {
      id: member.text("id", { min: 1, max: maxNameBytes }),
      session: member.text("session", { min: 1, max: maxNameBytes }),
      address: member.text("address", { max: maxAddressBytes }),
      zone: member.text("zone", { max: maxNameBytes }),
      weight: member.number("weight", { min: 0, max: maxWeight }),
      present: member.boolean("present"),
    };
  });
  for (const [place, member] of members.entries()) {
    const before = members[place - 1];
    if (before !== undefined && before.id >= member.id) {
      throw malformed(`${what}: members`, member.id, "listed once each, in order");
    }
  }
  return members;
}

function decodePart(
  given: unknown,
  { what, members }: { readonly what: string; readonly members: readonly TableMember[] },
): TablePart {
  if (!Array.isArray(given) || given.length !== 5) throw malformed(what, given, "a list of 5");
  const idAt = (place: unknown): string => {
    const member = typeof place === "number" ? members[place] : undefined;
    if (member === undefined) throw malformed(what, place, "the index of a member");
    return member.id;
  };
  const maybeAt = (place: unknown): string | undefined => (place === -1 ? undefined : idAt(place));
  const [owner, backups, epoch, next, flags] = given as unknown[];
  if (!Array.isArray(backups) || backups.length > tableLimits.maxReplicas) {
    throw malformed(`${what}: backups`, backups, "a short list");
  }
  if (!Number.isSafeInteger(epoch) || (epoch as number) < 0) {
    throw malformed(`${what}: epoch`, epoch, "a whole number");
  }
  const recovery = typeof flags === "number" ? recoveries[flags % lostFlag] : undefined;
  if (recovery === undefined || (flags as number) >= 2 * lostFlag) {
    throw malformed(`${what}: flags`, flags, "known flags");
  }
  const part: TablePart = {
    owner: maybeAt(owner),
    backups: backups.map(idAt),
    epoch: epoch as number,
    next: maybeAt(next),
    recovery,
    lost: (flags as number) >= lostFlag,
  };
  const copies = [...part.backups, ...(part.owner === undefined ? [] : [part.owner])];
  if (new Set(copies).size < copies.length) throw malformed(what, given, "without repetitions");
  return part;
}

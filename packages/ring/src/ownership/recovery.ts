import type { Clock } from "@parsec/core";
import { comparePositions, isSamePosition, type Position } from "../replication/partition-state.ts";
import type { Replica } from "../replication/replica.ts";
import { type BackupPosition, decodePosition } from "../replication/replicate-message.ts";
import type { RingTable, TableMember, TablePart } from "../table/ring-table.ts";
import {
  decodeAnswer,
  type RequestHead,
  type RequestKind,
  writeHead,
} from "../wire/ring-message.ts";

/** The part of a term that recovery needs. */
export interface RecoveringTerm {
  readonly epoch: number;
  readonly part: TablePart;
  readonly replica: Replica | undefined;
  readonly phase: string;
  /** Called when the data of the partition is damaged and no other node has a sound copy; undefined when that is over. */
  stuck(reason: string | undefined): void;
  head(kind: RequestKind): RequestHead;
}

/** The result of a recovery. */
export interface RecoveredPart {
  /** Whether this node holds a copy now. */
  readonly isFound: boolean;
  /** Whether the data of the previous owner is lost. */
  readonly isLost: boolean;
  /** Whether the table has to be changed. */
  readonly isChanged: boolean;
  /** The history found is of epochs below this one. */
  readonly minEpoch: number;
  /** Backups with the same position. */
  readonly current: readonly string[];
}

export interface RecoveryOptions {
  readonly selfId: string;
  readonly address: string;
  /** Whether copies survive a restart. */
  readonly durable: boolean;
  readonly clock: Clock;
  readonly table: () => RingTable | undefined;
  readonly send: (
    address: string,
    request: Uint8Array,
    options: { readonly timeoutMs: number },
  ) => Promise<Uint8Array>;
  /** When the owners of an earlier incarnation have certainly stopped serving. */
  readonly quietAtMs: () => number;
  readonly askTimeoutMs: number;
  readonly copyTimeoutMs: number;
}

const retryMs = 50;
const stuckRetryMs = 250;

/** Finds the most advanced copy of a partition and fetches it, before the new owner serves. */
export async function recoverPart(
  term: RecoveringTerm,
  options: RecoveryOptions,
): Promise<RecoveredPart | undefined> {
  const { replica, part } = term;
  const { clock } = options;
  const nothing = { isFound: false, isChanged: false, minEpoch: 0, current: [] };
  if (part.recovery === "everyone") {
    for (let waitMs = 1; waitMs > 0 && term.phase !== "ended"; ) {
      waitMs = options.quietAtMs() - clock.now();
      if (waitMs > 0) await delay(clock, Math.min(waitMs, retryMs));
    }
  }
  if (replica === undefined) return { ...nothing, isLost: part.lost };
  if (part.recovery === "none") {
    if (part.lost) {
      // A copy on this node is older than the lost data.
      await replica.drop();
      return { ...nothing, isLost: true };
    }
    const current = part.backups;
    if (replica.holds) {
      return { isFound: true, isLost: false, isChanged: false, minEpoch: 0, current };
    }
  }
  return gather(term, options);
}

async function gather(
  term: RecoveringTerm,
  options: RecoveryOptions,
): Promise<RecoveredPart | undefined> {
  const { replica, part, epoch } = term;
  if (replica === undefined) return undefined;
  const answers = new Map<string, BackupPosition>();
  for (;;) {
    if (term.phase === "ended") return undefined;
    const candidates = candidatesOf(term, options);
    const silent = candidates.filter(({ session }) => !answers.has(session));
    if (silent.length > 0) {
      const heard = await Promise.all(silent.map((member) => askPosition(term, member, options)));
      for (const [at, answer] of heard.entries()) {
        if (answer !== undefined) answers.set((silent[at] as TableMember).session, answer);
      }
      if (heard.includes(undefined)) await delay(options.clock, retryMs);
      continue;
    }
    const holders = candidates.filter(({ session }) => answers.get(session)?.holds === true);
    const positionOf = ({ session }: TableMember): Position =>
      (answers.get(session) as BackupPosition).position;
    const best = holders.toSorted((left, right) =>
      comparePositions(positionOf(right), positionOf(left)),
    )[0];
    const isBehind =
      best !== undefined &&
      (!replica.holds || comparePositions(positionOf(best), replica.position) > 0);
    const damage = [...candidates.map(({ session }) => answers.get(session) as BackupPosition)]
      .filter(({ isDamaged }) => isDamaged)
      .map(({ position }) => position);
    const bounds = replica.damagedAt === undefined ? damage : [...damage, replica.damagedAt];
    const reached = isBehind ? positionOf(best) : replica.position;
    const isFound = isBehind || replica.holds;
    if (bounds.some((bound) => !isFound || comparePositions(reached, bound) < 0)) {
      // To serve an older copy, or none, would lose data in silence. A node with a sound copy may still come.
      term.stuck("its stored data is damaged, and no other node that is present has a sound copy");
      answers.clear();
      await delay(options.clock, stuckRetryMs);
      continue;
    }
    term.stuck(undefined);
    if (isBehind) {
      if (!(await fetchCopy(term, best, options))) {
        answers.delete(best.session);
        await delay(options.clock, retryMs);
      }
      continue;
    }
    const found = replica.position;
    return {
      isFound: replica.holds,
      // A durable partition without a position never had an operation.
      isLost: !replica.holds && (part.lost || (part.recovery !== "everyone" && !options.durable)),
      isChanged: replica.holds && found.epoch >= epoch,
      minEpoch: replica.holds ? found.epoch + 1 : 0,
      current: holders
        .filter((member) => isSamePosition(positionOf(member), found))
        .map(({ id }) => id),
    };
  }
}

/** The nodes that may have a more advanced copy. A node that dies leaves the table and is not waited for. */
function candidatesOf(
  term: RecoveringTerm,
  { selfId, table }: RecoveryOptions,
): readonly TableMember[] {
  const { part } = term;
  const asked = part.recovery === "backups" ? new Set(part.backups) : undefined;
  return (table()?.members ?? []).filter(({ id, present }) => {
    return present && id !== selfId && (asked === undefined || asked.has(id));
  });
}

async function askPosition(
  term: RecoveringTerm,
  member: TableMember,
  options: RecoveryOptions,
): Promise<BackupPosition | undefined> {
  const answer = await ask(term, { kind: "position", member, target: "" }, options);
  try {
    return answer === undefined ? undefined : decodePosition(answer);
  } catch {
    return undefined;
  }
}

async function fetchCopy(
  term: RecoveringTerm,
  member: TableMember,
  options: RecoveryOptions,
): Promise<boolean> {
  const request = { kind: "send-copy", member, target: options.address } as const;
  return (await ask(term, request, options)) !== undefined;
}

async function ask(
  term: RecoveringTerm,
  request: { readonly kind: RequestKind; readonly member: TableMember; readonly target: string },
  { send, askTimeoutMs, copyTimeoutMs }: RecoveryOptions,
): Promise<Uint8Array | undefined> {
  const { kind, member, target } = request;
  const timeoutMs = kind === "position" ? askTimeoutMs : copyTimeoutMs;
  try {
    const bytes = writeHead(term.head(kind)).text(target).finish();
    const answer = decodeAnswer(await send(member.address, bytes, { timeoutMs }));
    return answer.outcome === "done" ? answer.body : undefined;
  } catch {
    return undefined;
  }
}

function delay(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => void clock.schedule(delayMs, resolve));
}

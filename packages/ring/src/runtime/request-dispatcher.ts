import { isParsecError, ParsecError } from "@parsec/core";
import type { Link } from "../link/link.ts";
import type { PartitionTerms } from "../ownership/partition-terms.ts";
import {
  type BackupRequestHandler,
  checkPartition,
} from "../replication/backup-request-handler.ts";
import { sendCopy } from "../replication/copy-sender.ts";
import type { RingSettings } from "../ring-options.ts";
import type { OwnerRequestHandler } from "../routing/owner-request-handler.ts";
import { decodeRequest, type OwnerRequest } from "../routing/request-body.ts";
import type { RingTable } from "../table/ring-table.ts";
import { tableLimits } from "../table/table-limits.ts";
import { FieldReader } from "../wire/field-reader.ts";
import { type Answer, encodeAnswer, type RequestHead, readHead } from "../wire/ring-message.ts";
import type { TableWatch } from "./table-watch.ts";

export interface RequestDispatcherOptions {
  readonly settings: RingSettings;
  readonly link: Link;
  readonly pieceBytes: number;
  readonly table: () => RingTable | undefined;
  readonly watch: TableWatch;
  readonly terms: PartitionTerms;
  readonly ownerRequests: OwnerRequestHandler;
  readonly backupRequests: BackupRequestHandler;
}

/** Decodes requests of other nodes, passes each to its handler, and encodes the answer. */
export class RequestDispatcher {
  readonly #options: RequestDispatcherOptions;
  #copies = 0;
  #closed = false;

  constructor(options: RequestDispatcherOptions) {
    this.#options = options;
  }

  /** Refuses all requests from now on. */
  close(): void {
    this.#closed = true;
  }

  /** Answers a request. Never rejects: an error is an answer. */
  async answer(request: Uint8Array): Promise<Uint8Array> {
    try {
      const answer = await this.#serve(request);
      const { maxPayloadBytes } = this.#options.settings;
      if (answer.outcome !== "done" || answer.body.length <= maxPayloadBytes) {
        return encodeAnswer(answer);
      }
      const message = `the answer must be at most ${maxPayloadBytes} bytes, got ${answer.body.length}`;
      throw new ParsecError("VALUE_TOO_LARGE", message);
    } catch (error) {
      const failed = isParsecError(error)
        ? error
        : new ParsecError("ORIGIN_FAILED", "the node failed unexpectedly", { cause: error });
      return encodeAnswer({ outcome: "failed", error: failed });
    }
  }

  async #serve(request: Uint8Array): Promise<Answer> {
    const { settings, ownerRequests, backupRequests } = this.#options;
    const reader = new FieldReader(request);
    const head = readHead(reader);
    checkPartition(head.partition, settings.partitions);
    if (this.#closed) return { outcome: "refused", refusal: "not-owner", epoch: 0 };
    const { kind } = head;
    if (kind === "call" || kind === "write" || kind === "read") {
      const owned: OwnerRequest = decodeRequest(kind, reader, settings);
      return ownerRequests.serve(head, owned);
    }
    if (settings.state === undefined) {
      throw new ParsecError(
        "INVALID_ARGUMENT",
        "this node has no state option, so it cannot keep copies",
      );
    }
    await this.#waitForOwner(head);
    const refused = backupRequests.refuse(head);
    if (refused !== undefined) return refused;
    if (kind === "replicate") return backupRequests.replicate(head, reader);
    if (kind === "copy") return backupRequests.copy(head, reader);
    if (kind === "position") return backupRequests.position(head);
    return this.#sendCopy(head, reader.text(tableLimits.maxAddressBytes));
  }

  /**
   * Waits for the table that made the sender the owner, and for no later one: while partitions move there is a new
   * table every few milliseconds, and each write would wait for the latest.
   */
  async #waitForOwner({ incarnation, epoch, partition, partEpoch }: RequestHead): Promise<void> {
    const { table: tableOf, watch } = this.#options;
    const table = tableOf();
    if (table?.incarnation !== incarnation) return;
    if (partEpoch > (table.parts[partition]?.epoch ?? 0)) await watch.reach(epoch);
  }

  /** Sends this node's copy to a new owner. */
  async #sendCopy(head: RequestHead, address: string): Promise<Answer> {
    const { link, settings, pieceBytes, terms } = this.#options;
    const { throttle } = terms;
    await throttle.run(() =>
      sendCopy({
        replica: terms.replicaOf(head.partition),
        head: () => ({ ...head, kind: "copy" }),
        copy: ++this.#copies,
        pieceBytes,
        send: (piece) => link.request(address, piece, { timeoutMs: settings.replicaTimeoutMs }),
        throttle: (bytes) => throttle.pace(bytes),
      }),
    );
    return { outcome: "done", body: new Uint8Array() };
  }
}

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

/** Takes what other nodes ask of this one, hands it to who can tell, and makes bytes of the answer. */
export class RequestDispatcher {
  readonly #options: RequestDispatcherOptions;
  #copies = 0;
  #closed = false;

  constructor(options: RequestDispatcherOptions) {
    this.#options = options;
  }

  /** From now on nothing is served. */
  close(): void {
    this.#closed = true;
  }

  /** Never rejects: what goes wrong is an answer, too. */
  async answer(request: Uint8Array): Promise<Uint8Array> {
    try {
      const answer = await this.#serve(request);
      const { maxPayloadBytes } = this.#options.settings;
      if (answer.outcome !== "done" || answer.body.length <= maxPayloadBytes) {
        return encodeAnswer(answer);
      }
      const message = `an answer of ${answer.body.length} bytes, ${maxPayloadBytes} allowed`;
      throw new ParsecError("VALUE_TOO_LARGE", message);
    } catch (error) {
      const failed = isParsecError(error)
        ? error
        : new ParsecError("ORIGIN_FAILED", "the node failed to answer", { cause: error });
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
      throw new ParsecError("INVALID_ARGUMENT", "this node keeps no state in the ring");
    }
    await this.#hearOfOwner(head);
    const refused = backupRequests.refuse(head);
    if (refused !== undefined) return refused;
    if (kind === "replicate") return backupRequests.replicate(head, reader);
    if (kind === "copy") return backupRequests.copy(head, reader);
    if (kind === "position") return backupRequests.position(head);
    return this.#sendCopy(head, reader.text(tableLimits.maxAddressBytes));
  }

  /**
   * Waits for the table that made the asker the owner. No other: while much moves there is a new one every few
   * milliseconds, and each write would wait until this node has heard of the last.
   */
  async #hearOfOwner({ incarnation, epoch, partition, partEpoch }: RequestHead): Promise<void> {
    const { table: tableOf, watch } = this.#options;
    const table = tableOf();
    if (table?.incarnation !== incarnation) return;
    if (partEpoch > (table.parts[partition]?.epoch ?? 0)) await watch.reach(epoch);
  }

  /** A new owner wants what this node holds. */
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

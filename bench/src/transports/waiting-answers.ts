/** Matches answers to requests by a four-byte number at the start of each message. */
export class WaitingAnswers {
  readonly #waiting: Map<number, (answer: Buffer) => void> = new Map();
  #serial = 0;

  /** Passes a request to `send` and resolves with its answer. */
  ask(key: string, send: (question: Buffer) => void): Promise<Buffer> {
    return new Promise((resolve) => {
      const serial = this.#serial;
      this.#serial = (serial + 1) >>> 0;
      this.#waiting.set(serial, resolve);
      const question = Buffer.allocUnsafe(4 + key.length);
      question.writeUInt32LE(serial, 0);
      question.write(key, 4, "latin1");
      send(question);
    });
  }

  take(answer: Buffer): void {
    const serial = answer.readUInt32LE(0);
    const resolve = this.#waiting.get(serial);
    this.#waiting.delete(serial);
    resolve?.(answer);
  }
}

/** The answer of the bare echo to a request. */
export function answerTo(question: Uint8Array, value: Buffer): Buffer {
  const answer = Buffer.allocUnsafe(4 + value.length);
  answer.set(question.subarray(0, 4), 0);
  answer.set(value, 4);
  return answer;
}

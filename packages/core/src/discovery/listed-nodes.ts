/**
 * The members according to DNS. A new node is added at once; a missing one is dropped after several
 * consecutive answers without it, because DNS servers behind one address may differ for seconds, and each
 * change of membership moves keys.
 */
export class ListedNodes {
  readonly #forgetAfter: number;
  /** Each node, with the number of consecutive answers without it. */
  readonly #missedAnswers: Map<string, number> = new Map();

  constructor(forgetAfter: number) {
    this.#forgetAfter = forgetAfter;
  }

  /** Applies an answer. Returns whether the members changed. */
  apply(ids: ReadonlySet<string>): boolean {
    let changed = false;
    for (const [id, missing] of this.#missedAnswers) {
      if (ids.has(id)) continue;
      if (missing + 1 >= this.#forgetAfter) changed = this.#missedAnswers.delete(id);
      else this.#missedAnswers.set(id, missing + 1);
    }
    for (const id of ids) {
      changed ||= !this.#missedAnswers.has(id);
      this.#missedAnswers.set(id, 0);
    }
    return changed;
  }

  /** The members, sorted. */
  ids(): readonly string[] {
    return [...this.#missedAnswers.keys()].sort();
  }
}

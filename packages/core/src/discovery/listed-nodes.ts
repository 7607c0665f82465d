/**
 * The nodes that DNS lists. A new one counts at once; one that is gone counts until several answers in a
 * row were without it, because DNS servers that share a name differ for moments, and each change moves keys.
 */
export class ListedNodes {
  readonly #forgetAfter: number;
  /** Each node, with the number of answers since the last that had it. */
  readonly #missing: Map<string, number> = new Map();

  constructor(forgetAfter: number) {
    this.#forgetAfter = forgetAfter;
  }

  /** Takes an answer. Says whether the nodes are others than before. */
  hear(ids: ReadonlySet<string>): boolean {
    let changed = false;
    for (const [id, missing] of this.#missing) {
      if (ids.has(id)) continue;
      if (missing + 1 >= this.#forgetAfter) changed = this.#missing.delete(id);
      else this.#missing.set(id, missing + 1);
    }
    for (const id of ids) {
      changed ||= !this.#missing.has(id);
      this.#missing.set(id, 0);
    }
    return changed;
  }

  /** In an order that does not depend on that of the answers. */
  ids(): readonly string[] {
    return [...this.#missing.keys()].sort();
  }
}

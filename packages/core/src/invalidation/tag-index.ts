/**
 * The tag of negative entries in groups with tags. The tags of a value that does not exist are unknown, so
 * the invalidation of any tag drops negative entries as well.
 */
export const absentTag = "";

/** Index of the entries in memory by their tags. */
export class TagIndex {
  readonly #keysByTag: Map<string, Set<string>> = new Map();
  readonly #tagsByKey: Map<string, readonly string[]> = new Map();

  /** Estimated heap bytes of an entry's tags in this index, which count towards the budget. */
  static cost(key: string, tags: readonly string[]): number {
    let bytes = 128 + key.length;
    for (const tag of tags) bytes += 96 + tag.length;
    return bytes;
  }

  add(key: string, tags: readonly string[]): void {
    this.#tagsByKey.set(key, tags);
    for (const tag of tags) {
      const keys = this.#keysByTag.get(tag);
      if (keys === undefined) this.#keysByTag.set(tag, new Set([key]));
      else keys.add(key);
    }
  }

  remove(key: string): void {
    for (const tag of this.#tagsByKey.get(key) ?? []) {
      const keys = this.#keysByTag.get(tag);
      keys?.delete(key);
      if (keys?.size === 0) this.#keysByTag.delete(tag);
    }
    this.#tagsByKey.delete(key);
  }

  /** The tags of an entry. */
  of(key: string): readonly string[] {
    return this.#tagsByKey.get(key) ?? [];
  }

  keys(tag: string): readonly string[] {
    return [...(this.#keysByTag.get(tag) ?? [])];
  }
}

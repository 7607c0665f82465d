/**
 * Carried by "the origin has none" in groups with tags: nobody can know which tags the missing value
 * would have, so every tag's invalidation takes these along.
 */
export const absentTag = "";

/** Which of the entries in memory carry which tag. */
export class TagIndex {
  readonly #keysByTag: Map<string, Set<string>> = new Map();
  readonly #tagsByKey: Map<string, readonly string[]> = new Map();

  /** Bytes of heap that an entry's tags take here, by estimate: they count towards the budget. */
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

  /** The tags an entry carries. */
  of(key: string): readonly string[] {
    return this.#tagsByKey.get(key) ?? [];
  }

  keys(tag: string): readonly string[] {
    return [...(this.#keysByTag.get(tag) ?? [])];
  }
}

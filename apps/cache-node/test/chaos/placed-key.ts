/** A key, and where it lay when somebody looked. */
export interface PlacedKey {
  readonly key: string;
  readonly partition: number;
  /** The name of the node that owned it. */
  readonly owner: string;
}

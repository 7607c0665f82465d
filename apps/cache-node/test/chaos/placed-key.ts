/** A key, and its owner at the time of the request. */
export interface PlacedKey {
  readonly key: string;
  readonly partition: number;
  /** The name of the node that owned it. */
  readonly owner: string;
}

import type { DataSource } from "../src/registry/data-source.ts";

export interface User {
  readonly id: string;
  readonly roles: readonly string[];
}

/** Users by id, each a reader unless `fetch` says otherwise. */
export function usersSource(
  fetch: DataSource<{ id: string }, User>["fetch"] = ({ id }) =>
    Promise.resolve({ id, roles: ["reader"] }),
): DataSource<{ id: string }, User> {
  return { name: "users", cacheKey: ({ id }) => id, fetch };
}

/** A source of whatever data, named `s`, whose inputs are their own keys. */
export function sourceOf<Data>(
  fetch: (input: string) => Promise<Data | undefined>,
): DataSource<string, Data> {
  return { name: "s", cacheKey: (input) => input, fetch };
}

/** What JSON cannot write. */
export function holdingItself(): { self?: unknown } {
  const value: { self?: unknown } = {};
  value.self = value;
  return value;
}

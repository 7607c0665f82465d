import type { DataSource } from "../src/registry/data-source.ts";

export interface User {
  readonly id: string;
  readonly roles: readonly string[];
}

/** A data source of users by id, each a reader unless `fetch` is set. */
export function usersSource(
  fetch: DataSource<{ id: string }, User>["fetch"] = ({ id }) =>
    Promise.resolve({ id, roles: ["reader"] }),
): DataSource<{ id: string }, User> {
  return { name: "users", cacheKey: ({ id }) => id, fetch };
}

/** A data source of any data, named `s`, whose inputs are their own keys. */
export function sourceOf<Data>(
  fetch: (input: string) => Promise<Data | undefined>,
): DataSource<string, Data> {
  return { name: "s", cacheKey: (input) => input, fetch };
}

/** Data that JSON cannot encode. */
export function holdingItself(): { self?: unknown } {
  const value: { self?: unknown } = {};
  value.self = value;
  return value;
}

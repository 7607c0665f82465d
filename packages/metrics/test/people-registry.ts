import {
  createDataSourceRegistry,
  type DataSource,
  type DataSourceHandle,
  type DataSourceRegistry,
} from "@parsec/core";

/** A data source that has no value for "nobody" and fails for "fault". */
export function peopleSource(name: string): DataSource<string, { readonly id: string }> {
  return {
    name,
    cacheKey: (id) => id,
    fetch: async (id) => {
      if (id === "fault") throw new Error(`no connection for ${id}`);
      return id === "nobody" ? undefined : { id };
    },
  };
}

export interface People {
  readonly registry: DataSourceRegistry;
  readonly users: DataSourceHandle<string, { readonly id: string }>;
}

/** A node with one source, "users", after six lookups (two hits, four loads, one of them failed) and one invalidation. */
export async function askedPeople(): Promise<People> {
  const registry = createDataSourceRegistry();
  const users = registry.register(peopleSource("users"));
  await users.get("alice");
  await users.get("alice");
  await users.get("alice");
  await users.get("bob");
  await users.get("nobody");
  await users.get("fault").catch(() => {});
  await users.invalidate("bob");
  return { registry, users };
}

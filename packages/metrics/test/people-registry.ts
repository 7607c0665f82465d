import {
  createDataSourceRegistry,
  type DataSource,
  type DataSourceHandle,
  type DataSourceRegistry,
} from "@parsec/core";

/** A source under any name; asked for "nobody" it has none, asked for "fault" it fails. */
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

/** A node with one source, "users", that was asked six times: two hits, four loads, one of them failed, one invalidation. */
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

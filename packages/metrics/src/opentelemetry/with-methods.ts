/**
 * `target` with some of its methods replaced. All else stays the target's own: what a transport adds
 * to its picker, and optional methods of the contract, none of which may get lost on the way.
 */
export function withMethods<Target extends object>(
  target: Target,
  methods: Partial<Target>,
): Target {
  const bound = new Map<unknown, unknown>();
  const ownOf = (name: PropertyKey): unknown => {
    const value: unknown = Reflect.get(target, name);
    if (typeof value !== "function") return value;
    // Bound, because a method may reach for private fields, which only the target itself has.
    const known = bound.get(value) ?? value.bind(target);
    bound.set(value, known);
    return known;
  };
  return new Proxy(Object.create(null) as Target, {
    get: (_, name) => (Object.hasOwn(methods, name) ? Reflect.get(methods, name) : ownOf(name)),
    has: (_, name) => name in target,
  });
}

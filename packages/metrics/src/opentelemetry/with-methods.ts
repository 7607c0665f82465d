/**
 * Replaces some methods of `target`. All other members are passed through, including optional methods of
 * the contract and members that a transport adds to its picker.
 */
export function withMethods<Target extends object>(
  target: Target,
  methods: Partial<Target>,
): Target {
  const bound = new Map<unknown, unknown>();
  const ownOf = (name: PropertyKey): unknown => {
    const value: unknown = Reflect.get(target, name);
    if (typeof value !== "function") return value;
    // Bound to the target, because methods may use its private fields.
    const known = bound.get(value) ?? value.bind(target);
    bound.set(value, known);
    return known;
  };
  return new Proxy(Object.create(null) as Target, {
    get: (_, name) => (Object.hasOwn(methods, name) ? Reflect.get(methods, name) : ownOf(name)),
    has: (_, name) => name in target,
  });
}

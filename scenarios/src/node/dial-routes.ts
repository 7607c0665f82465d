import { Socket } from "node:net";

type Connect = (this: Socket, ...args: unknown[]) => Socket;

/**
 * Sends what this process dials on this machine to other ports than it asked for: the only way to put
 * a proxy between two nodes alone, because every node has one address for all of its peers. Every
 * client library connects by this method in the end.
 */
export function routeDials(routes: Readonly<Record<number, number>>): void {
  const prototype = Socket.prototype as { connect: Connect };
  const { connect } = prototype;
  prototype.connect = function connectByRoute(...args) {
    // `net.connect` calls it with its own list of normalized arguments, options first.
    const [first] = args;
    const options: unknown = Array.isArray(first) ? first[0] : first;
    if (typeof options === "object" && options !== null && "port" in options) {
      options.port = routes[Number(options.port)] ?? options.port;
    }
    return connect.apply(this, args);
  };
}

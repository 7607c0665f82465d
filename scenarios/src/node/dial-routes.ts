import { Socket } from "node:net";

type Connect = (this: Socket, ...args: unknown[]) => Socket;

/**
 * Redirects connections of this process to other ports of this machine, such as those of proxies. A proxy
 * between two nodes only needs this, because a node has the same address for all of its peers. All client
 * libraries connect through this method.
 */
export function redirectConnections(routes: Readonly<Record<number, number>>): void {
  const prototype = Socket.prototype as { connect: Connect };
  const { connect } = prototype;
  prototype.connect = function connectByRoute(...args) {
    // `net.connect` calls it with a list of normalized arguments, options first.
    const [first] = args;
    const options: unknown = Array.isArray(first) ? first[0] : first;
    if (typeof options === "object" && options !== null && "port" in options) {
      options.port = routes[Number(options.port)] ?? options.port;
    }
    return connect.apply(this, args);
  };
}

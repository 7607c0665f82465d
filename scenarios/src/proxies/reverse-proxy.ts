import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";

/** A way to put a stock proxy in front of a node, with the least configuration that works. */
export interface ProxySetup {
  readonly program: "NGINX" | "HAPROXY" | "SOCAT";
  /** The program's arguments, and the content of its configuration, which is in `folder`/config. */
  configure(ports: { readonly listen: number; readonly node: number; readonly folder: string }): {
    readonly args: readonly string[];
    readonly config?: string;
  };
}

/** A running proxy. */
export interface ReverseProxy {
  close(): Promise<void>;
}

function nginx(location: string, listen = ""): ProxySetup {
  return {
    program: "NGINX",
    configure: ({ listen: port, node, folder }) => ({
      args: ["-e", "stderr", "-c", join(folder, "config")],
      config: `daemon off; master_process off; pid ${folder}/pid; error_log ${folder}/log; events {}
        http { access_log off; client_body_temp_path ${folder}; proxy_temp_path ${folder};
          fastcgi_temp_path ${folder}; uwsgi_temp_path ${folder}; scgi_temp_path ${folder};
          server { listen 127.0.0.1:${port}${listen};
            location / { ${location.replaceAll("NODE", `127.0.0.1:${node}`)} } } }\n`,
    }),
  };
}

function haproxy(mode: "http" | "tcp", protocol = ""): ProxySetup {
  return {
    program: "HAPROXY",
    configure: ({ listen, node, folder }) => ({
      args: ["-db", "-f", join(folder, "config")],
      config: `defaults
  mode ${mode}
  timeout connect 5s
  timeout client 30s
  timeout server 30s
frontend all
  bind 127.0.0.1:${listen}${protocol}
  default_backend node
backend node
  server node 127.0.0.1:${node}${protocol}\n`,
    }),
  };
}

const socat: ProxySetup = {
  program: "SOCAT",
  configure: ({ listen, node }) => ({
    args: [`TCP-LISTEN:${listen},bind=127.0.0.1,fork,reuseaddr`, `TCP:127.0.0.1:${node}`],
  }),
};

/** Proxies for HTTP, as Debian ships them. */
export const httpProxies: Readonly<Record<string, ProxySetup>> = {
  "nginx with proxy_pass alone": nginx("proxy_pass http://NODE;"),
  "nginx with the host of the client": nginx(
    "proxy_pass http://NODE; proxy_set_header Host $host;",
  ),
  "nginx with keep-alive": nginx(
    'proxy_pass http://NODE; proxy_http_version 1.1; proxy_set_header Connection "";',
  ),
  "nginx with X-Real-IP": nginx(
    "proxy_pass http://NODE; proxy_set_header X-Real-IP $remote_addr; proxy_http_version 1.1;",
  ),
  "HAProxy in http mode": haproxy("http"),
  "HAProxy in tcp mode": haproxy("tcp"),
  socat,
};

/** Proxies for gRPC, as Debian ships them. */
export const grpcProxies: Readonly<Record<string, ProxySetup>> = {
  "nginx with grpc_pass alone": nginx("grpc_pass grpc://NODE;", " http2"),
  "nginx with X-Forwarded-For": nginx(
    "grpc_pass grpc://NODE; grpc_set_header X-Forwarded-For $remote_addr;",
    " http2",
  ),
  "HAProxy in http mode": haproxy("http", " proto h2"),
  "HAProxy in tcp mode": haproxy("tcp"),
  socat,
};

/** Starts a proxy on loopback port `listen` in front of a node, and waits until it accepts connections. */
export async function startProxy(
  setup: ProxySetup,
  options: { readonly program: string; readonly listen: number; readonly node: number },
): Promise<ReverseProxy> {
  const folder = await mkdtemp(join(tmpdir(), "parsec-proxy-"));
  const { args, config } = setup.configure({ ...options, folder });
  if (config !== undefined) await writeFile(join(folder, "config"), config);
  const child = spawn(options.program, [...args], { stdio: ["ignore", "ignore", "pipe"] });
  let lastWords = "";
  child.stderr.on("data", (chunk: Buffer) => {
    lastWords = (lastWords + chunk.toString()).slice(-2000);
  });
  const exited = once(child, "exit");
  while (!(await accepts(options.listen))) {
    if (child.exitCode !== null) throw new Error(`${options.program} ended: ${lastWords}`);
    await wait(10);
  }
  return {
    async close() {
      stop(child);
      await exited;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function stop(child: ChildProcess): void {
  if (child.exitCode === null) child.kill("SIGTERM");
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

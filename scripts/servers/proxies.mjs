import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { findProgram } from "./find-program.mjs";
import { freePort } from "./free-port.mjs";
import { startServerProcess } from "./server-process.mjs";

/*
 * Reverse proxies. Tests configure and start their own with the program in `…_PROGRAM`; the ones started here
 * answer every request themselves.
 */

/** @type {import("./server.d.ts").Server} */
export const nginx = {
  name: "nginx",
  variable: "PARSEC_TEST_NGINX_URL",
  debianPackages: ["nginx-light"],
  find: () => findProgram("nginx", ["/usr/sbin"]),
  async start(program, { folder }) {
    const port = await freePort();
    const config = join(folder, "nginx.conf");
    await mkdir(join(folder, "temp"));
    const paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
      (name) => `${name}_temp_path ${join(folder, "temp")};`,
    );
    await writeFile(
      config,
      `daemon off; master_process off; pid ${folder}/pid; error_log stderr notice; events {}
       http { access_log off; ${paths.join(" ")} server { listen 127.0.0.1:${port}; return 204; } }\n`,
    );
    const { stop } = await startServerProcess({
      command: program,
      args: ["-e", "stderr", "-c", config],
      readyWhen: /event method/,
      stopSignal: "SIGTERM",
    });
    return { url: `http://127.0.0.1:${port}`, stop };
  },
};

/** @type {import("./server.d.ts").Server} */
export const haproxy = {
  name: "HAProxy",
  variable: "PARSEC_TEST_HAPROXY_URL",
  debianPackages: ["haproxy"],
  find: () => findProgram("haproxy", ["/usr/sbin"]),
  async start(program, { folder }) {
    const port = await freePort();
    const config = join(folder, "haproxy.cfg");
    await writeFile(
      config,
      `defaults
  mode http
  timeout client 5s
frontend all
  bind 127.0.0.1:${port}
  http-request return status 200\n`,
    );
    const { stop } = await startServerProcess({
      command: program,
      args: ["-W", "-db", "-f", config],
      readyWhen: /New worker/,
      stopSignal: "SIGTERM",
    });
    return { url: `http://127.0.0.1:${port}`, stop };
  },
};

/** @type {import("./server.d.ts").Server} */
export const socat = {
  name: "socat",
  variable: "PARSEC_TEST_SOCAT_URL",
  debianPackages: ["socat"],
  find: () => findProgram("socat"),
  async start(program) {
    const port = await freePort();
    const { stop } = await startServerProcess({
      command: program,
      args: ["-d", "-d", `TCP-LISTEN:${port},bind=127.0.0.1,fork,reuseaddr`, "SYSTEM:true"],
      readyWhen: /listening on/,
      stopSignal: "SIGTERM",
    });
    return { url: `tcp://127.0.0.1:${port}`, stop };
  },
};

/** A TCP relay before the API server that counts what comes from it: bytes on the wire, TLS and compression included. */
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';

export class CountingProxy {
  /** From the server to whoever uses `kubeconfig`. */
  bytes = 0;
  readonly kubeconfig: string;

  private constructor(kubeconfig: string) {
    this.kubeconfig = kubeconfig;
  }

  /** Stands until the signal aborts. */
  static async open(kubeconfig: string, signal: AbortSignal): Promise<CountingProxy> {
    const text = readFileSync(kubeconfig, 'utf8');
    const [, host = '', port = ''] = /https:\/\/([^:/\s"]+):(\d+)/.exec(text) ?? [];
    const file = path.join(mkdtempSync(path.join(tmpdir(), 'sheath-proxy-')), 'kubeconfig');
    const proxy = new CountingProxy(file);
    const server = createServer((client) => {
      const upstream = connect({ host, port: Number(port) });
      upstream.on('data', (chunk) => {
        proxy.bytes += chunk.length;
      });
      for (const [one, other] of [
        [client, upstream],
        [upstream, client],
      ] as const) {
        one.pipe(other);
        one.on('error', () => other.destroy()).on('close', () => other.destroy());
      }
      signal.addEventListener('abort', () => client.destroy());
    });
    await listening(server);
    signal.addEventListener('abort', () => server.close());
    writeFileSync(
      file,
      text.replace(`${host}:${port}`, `127.0.0.1:${(server.address() as AddressInfo).port}`),
      { mode: 0o600 },
    );
    return proxy;
  }
}

function listening(server: Server): Promise<void> {
  return new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
}

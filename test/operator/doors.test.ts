import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { openSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { get, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Asked } from '../../operator/http/answers.ts';
import { listen } from '../../operator/http/server.ts';

describe('what others break', () => {
  it('a stream that cannot begin ends its caller, not the agent', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sheath-doors-'));
    const path = join(folder, 'socket');
    const open = () => {
      throw new Error('not today');
    };
    const server = await listen(
      { asked: {} as Asked, routes: {}, stream: { path: '/events', open } },
      { path },
    );
    try {
      const error = await new Promise<NodeJS.ErrnoException>((resolve, reject) => {
        request({ socketPath: path, path: '/events' }, () => reject(new Error('it was answered')))
          .on('error', resolve)
          .end();
      });
      assert.equal(error.code, 'ECONNRESET');
    } finally {
      await server.close();
      await rm(folder, { recursive: true });
    }
  });

  it('a crowd of connections from one address keeps nobody else out', async () => {
    const routes = { '/healthz': () => ({ status: 200, type: 'text/plain', body: 'ok\n' }) };
    const server = await listen({ asked: {}, routes }, { host: '0.0.0.0', port: 0 });
    const { port = 0 } = server;
    const ask = (localAddress: string): Promise<number | undefined> =>
      new Promise((resolve) => {
        get({ host: '127.0.0.1', port, localAddress, path: '/healthz', agent: false }, (response) => {
          response.resume();
          resolve(response.statusCode);
        }).on('error', () => resolve(undefined));
      });
    const crowd: Socket[] = [];
    try {
      for (let i = 0; i < 300; i += 1) {
        const socket = connect({ host: '127.0.0.1', port, localAddress: '127.0.0.3' });
        socket.on('error', () => {});
        await new Promise((resolve) => socket.once('connect', resolve).once('close', resolve));
        crowd.push(socket);
      }
      assert.equal(await ask('127.0.0.2'), 200);
      assert.equal(await ask('127.0.0.3'), undefined);
      for (const socket of crowd) socket.destroy();
      while ((await ask('127.0.0.3')) === undefined) await new Promise((resolve) => setTimeout(resolve, 20));
    } finally {
      for (const socket of crowd) socket.destroy();
      await server.close();
    }
  });

  it('a log on a full disk holds nobody up', async () => {
    const log = fileURLToPath(new URL('../../operator/log.ts', import.meta.url));
    const script = `
      const { createLog } = await import(${JSON.stringify(log)});
      const log = createLog('info', 'n1');
      for (let i = 0; i < 2000; i += 1) log.info('x'.repeat(100));
      setTimeout(() => { log.info('on'); process.stderr.write('alive'); }, 50);`;
    const full = openSync('/dev/full', 'w');
    const child = spawn(
      process.execPath,
      ['--conditions=source', '--no-warnings', '--input-type=module', '-e', script],
      { stdio: ['ignore', full, 'pipe'], timeout: 20_000 },
    );
    let said = '';
    child.stderr?.on('data', (piece: Buffer) => {
      said += piece.toString();
    });
    const code = await new Promise((resolve) => child.on('close', resolve));
    assert.deepEqual({ code, said }, { code: 0, said: 'alive' });
  });
});

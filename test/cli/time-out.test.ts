/** An API server that takes connections and never answers: a command ends when its --timeout does. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { kubeconfigFor } from './fake-api.ts';
import { sheath } from './run.ts';

describe('--timeout', () => {
  let folder: string;
  let silent: Server;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sheath-silent-'));
    silent = createServer((socket) => void socket.on('error', () => undefined));
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const { port } = silent.address() as AddressInfo;
    await writeFile(join(folder, 'kubeconfig'), kubeconfigFor(`http://127.0.0.1:${port}`));
  });
  after(async () => {
    silent.close();
    await rm(folder, { recursive: true, force: true });
  });

  for (const command of [['enable'], ['rotate', '--wait'], ['disable', '--yes', '--wait']])
    it(`ends ${command[0]} though the API server is silent`, async () => {
      const { err, code } = await sheath([
        ...command,
        ...['--timeout', '1s', '--kubeconfig', join(folder, 'kubeconfig')],
      ]);
      assert.match(err, /the API server did not answer in the time given by --timeout/);
      assert.equal(code, 3);
    }).timeout(10_000);
});

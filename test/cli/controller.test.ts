import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ApiServer } from '../../lab/api/server.ts';
import { writeKubeconfig } from '../../lab/kubeconfig.ts';
import { sheath } from './run.ts';

describe('sheath controller', () => {
  let folder: string;
  let kubeconfig: string;
  let server: string;
  const api = new ApiServer();
  before(async () => {
    server = await api.listen();
    folder = await mkdtemp(join(tmpdir(), 'sheath-controller-'));
    kubeconfig = join(folder, 'kubeconfig');
    await writeKubeconfig(kubeconfig, { server });
  });
  after(async () => {
    await api.close();
    await rm(folder, { recursive: true });
  });

  it('explains itself', async () => {
    const { out, code } = await sheath(['controller', '--help']);
    assert.equal(code, 0);
    assert.match(out, /--identity .*POD_NAME/s);
    assert.match(out, /one leads/);
  });

  it('says what is missing to reach the cluster', async () => {
    const { err, code } = await sheath(['controller']);
    assert.equal(code, 2);
    assert.match(err, /kubeconfig/);
  });

  it('refuses an address that is none, and one that is taken', async () => {
    const flags = ['controller', '--kubeconfig', kubeconfig, '--log-level', 'silent', '--http'];
    const none = await sheath([...flags, 'nowhere']);
    assert.equal(none.code, 2);
    assert.match(none.err, /--http nowhere: expected ADDRESS:PORT/);
    const taken = await sheath([...flags, new URL(server).host]);
    assert.equal(taken.code, 1);
    assert.match(taken.err, /cannot listen/);
  });

  it('ends well when it is told to, also where there is no such namespace', async () => {
    const flags = ['--kubeconfig', kubeconfig, '--http', 'none', '--log-level', 'silent'];
    const ran = await sheath(['controller', ...flags], { signal: AbortSignal.timeout(500) });
    assert.deepEqual(ran, { out: '', err: '', code: 0 });
  });
});

/** charon in a container that is not privileged: whether what the manifests grant is enough, and no less is. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from '../../lab/processes.ts';
import { at, find, listAt, printed } from './objects.ts';

const inside = (name: string) => fileURLToPath(new URL(`./inside/${name}`, import.meta.url));

describe('charon with the capabilities of the manifests', function () {
  this.timeout(30_000);
  let folder: string;
  let granted: readonly string[];

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sheath-charon-caps-'));
    const pod = at(find(await printed(), 'DaemonSet'), 'spec', 'template', 'spec');
    granted = listAt(pod, 'containers', 0, 'securityContext', 'capabilities', 'add').map(String);
  });
  after(() => rm(folder, { recursive: true }));

  /** In a network of its own. @returns what the program prints */
  async function confined(program: string, capabilities: readonly string[]): Promise<readonly unknown[]> {
    const set = `-all,${capabilities.map((name) => `+${name.toLowerCase()}`).join(',')}`;
    const setpriv = ['setpriv', '--bounding-set', set, '--inh-caps', set, '--no-new-privs'];
    const node = [process.execPath, '--conditions=source', inside(program), join(folder, set)];
    return JSON.parse(await run(['unshare', '--net', ...setpriv, ...node])) as unknown[];
  }

  it('listens for IKE, and behind NAT, and preflight has nothing against them', async () => {
    assert.deepEqual(await confined('charon.ts', granted), [500, 4500]);
    assert.deepEqual(await confined('preflight.ts', granted), []);
  });

  it('would not with any of them less, and preflight says so', async () => {
    for (const less of granted) {
      const others = granted.filter((name) => name !== less);
      if (less === 'NET_BIND_SERVICE') assert.deepEqual(await confined('charon.ts', others), []);
      const [said, ...more] = await confined('preflight.ts', others);
      assert.match(String(said), new RegExp(`^ipsec: no CAP_${less}`));
      assert.deepEqual(more, []);
    }
  });

  it('is in the image', async () => {
    const file = await readFile(new URL('../../deploy/Containerfile', import.meta.url), 'utf8');
    assert.match(file, /apt-get install .*charon-systemd libstrongswan-standard-plugins/);
  });
});

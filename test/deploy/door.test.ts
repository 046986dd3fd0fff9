/** The unit that shuts the door at boot, beside what the agent keeps for it. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { kernelFolder } from '../../operator/agent/folders.ts';
import { BOOT_DOOR } from '../../tunnels/firewall/boot.ts';
import { at, find, listAt, printed } from './objects.ts';

describe('deploy/sheath-door.service', () => {
  it('loads the file that the agent keeps on the node, and nothing where there is none', async () => {
    const pod = at(find(await printed(), 'DaemonSet'), 'spec', 'template', 'spec');
    const paths = listAt(pod, 'volumes').map(
      (volume) => (volume as { hostPath?: { path: string } }).hostPath?.path,
    );
    const state = paths.find((path) => path?.startsWith('/var/lib/'));
    assert.ok(state !== undefined);
    const file = join(kernelFolder(state), BOOT_DOOR);
    const unit = await readFile(new URL('../../deploy/sheath-door.service', import.meta.url), 'utf8');
    const values = (key: string) =>
      [...unit.matchAll(new RegExp(`^${key}=(.*)$`, 'gm'))].map(([, value]) => value);
    assert.deepEqual(values('ExecStart'), [`nft -j -f ${file}`]);
    assert.deepEqual(values('ConditionPathExists'), [file]);
    assert.deepEqual(values('RequiresMountsFor'), [state]);
    assert.deepEqual(values('RequiredBy'), ['kubelet.service']);
  });
});

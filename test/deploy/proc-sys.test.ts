import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from '../../lab/processes.ts';

const NETNS = 'trust-procsys';
const LOOSEN = fileURLToPath(new URL('./inside/loosen.ts', import.meta.url));

/** As a runtime starts a container that is not privileged, with /proc/sys/net of the node mounted beside: root, and NET_ADMIN alone. */
const CONTAINER = `
mount --bind /proc/sys/net "$1/net"
mount --bind /proc/sys /proc/sys
mount -o remount,ro,bind /proc/sys
root=$2; shift 2
exec setpriv --bounding-set -all,+net_admin --inh-caps -all,+net_admin --no-new-privs "$@" "$root" "$STATE" f0
`;

describe('sysctls in a container with NET_ADMIN alone', function () {
  this.timeout(30_000);
  let folder: string;
  const inside = (...argv: string[]) => run(['ip', 'netns', 'exec', NETNS, ...argv]);
  const loosen = async (root: string): Promise<readonly string[]> => {
    const program = [process.execPath, '--conditions=source', LOOSEN];
    const argv = [
      'env',
      `STATE=${folder}`,
      'unshare',
      '--mount',
      'sh',
      '-ec',
      CONTAINER,
      'sh',
      folder,
      root,
      ...program,
    ];
    return JSON.parse(await inside(...argv)) as string[];
  };
  const value = async () => (await inside('cat', '/proc/sys/net/ipv4/conf/f0/rp_filter')).trim();

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sheath-procsys-'));
    await run(['mkdir', join(folder, 'net')]);
    await run(['ip', 'netns', 'add', NETNS]);
    await inside('ip', 'link', 'add', 'f0', 'type', 'veth', 'peer', 'name', 'f1');
  });
  beforeEach(() => inside('sh', '-c', 'echo 1 >/proc/sys/net/ipv4/conf/f0/rp_filter'));
  after(async () => {
    await run(['ip', 'netns', 'del', NETNS]);
    await rm(folder, { recursive: true });
  });

  it('cannot be written in its own /proc/sys, and says so', async () => {
    assert.equal((await loosen('/proc/sys')).length, 1);
    assert.equal(await value(), '1');
  });

  it('can where the manifests mount them', async () => {
    assert.deepEqual(await loosen(folder), []);
    assert.equal(await value(), '2');
  });
});

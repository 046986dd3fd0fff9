/** There is no container engine here: what the Containerfile says is checked by its text, and what it puts into the image is put together and run. */
import assert from 'node:assert/strict';
import { cp, mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from '../../lab/processes.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

interface Instruction {
  readonly name: string;
  readonly rest: string;
}

/** Continued lines joined, comments left out. */
function instructions(text: string): readonly Instruction[] {
  return text
    .split('\n')
    .filter((line) => !line.trim().startsWith('#'))
    .join('\n')
    .replace(/\\\n/g, ' ')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const [, name = '', rest = ''] = /^(\S+)\s+(.*)$/.exec(line) ?? [];
      return { name, rest: rest.replace(/\s+/g, ' ') };
    });
}

describe('deploy/Containerfile', function () {
  this.timeout(120_000);
  let all: readonly Instruction[];
  const rests = (name: string) => all.filter((each) => each.name === name).map(({ rest }) => rest);

  before(async () => {
    all = instructions(await readFile(join(ROOT, 'deploy/Containerfile'), 'utf8'));
  });

  it('has only instructions that there are', () => {
    const known = ['FROM', 'WORKDIR', 'COPY', 'RUN', 'LABEL', 'USER', 'ENTRYPOINT', 'CMD'];
    assert.deepEqual(
      all.filter(({ name }) => !known.includes(name)),
      [],
    );
  });

  it('builds on images of a version, in two stages, of which the last has nothing of the first but /app', () => {
    const stages = rests('FROM');
    assert.equal(stages.length, 2);
    for (const stage of stages) assert.match(stage, /^node:24-bookworm-slim( AS build)?$/);
    assert.deepEqual(
      rests('COPY').filter((rest) => rest.startsWith('--from')),
      ['--from=build /app /app'],
    );
  });

  it('installs what the agent runs, and leaves no lists of packages', () => {
    const install = rests('RUN').find((rest) => rest.includes('apt-get install')) ?? '';
    assert.match(
      install,
      /^apt-get update && apt-get install --yes --no-install-recommends nftables wireguard-go charon-systemd libstrongswan-standard-plugins libcharon-extra-plugins && rm -rf /,
    );
    assert.match(install, /\/var\/lib\/apt\/lists/);
  });

  it('runs as nobody where it is not told otherwise', () => {
    assert.deepEqual(rests('USER'), ['65532:65532']);
    assert.deepEqual([rests('ENTRYPOINT'), rests('CMD')], [['["sheath"]'], ['["--help"]']]);
  });

  it('copies files that there are', async () => {
    for (const rest of rests('COPY').filter((each) => !each.startsWith('--from')))
      for (const source of rest.split(' ').slice(0, -1)) await stat(join(ROOT, source));
  });

  it('brings binaries of the addon for both platforms', async () => {
    for (const platform of ['linux-x64', 'linux-arm64'])
      await stat(join(ROOT, 'node_modules/netlink/prebuilds', platform, 'node.napi.node'));
  });

  it('puts all into /app that the program needs, and no more than that', async () => {
    const app = await mkdtemp(join(tmpdir(), 'sheath-image-'));
    try {
      await run([process.execPath, join(ROOT, 'bundle.mjs'), join(app, 'dist')]);
      const modules = rests('RUN').flatMap((rest) =>
        [...rest.matchAll(/node_modules\/([\w-]+)(?= )/g)].map(([, name = '']) => name),
      );
      assert.deepEqual(modules, ['netlink', 'node-gyp-build']);
      for (const name of modules)
        await cp(join(ROOT, 'node_modules', name), join(app, 'node_modules', name), { recursive: true });
      const sheath = (...argv: string[]) => run([process.execPath, join(app, 'dist/sheath.mjs'), ...argv]);
      assert.match(await sheath('version'), /^sheath \d/);
      assert.match(await sheath('manifests'), /kind: DaemonSet/);
      // The addon is loaded, and finds its binary.
      await run([process.execPath, '-e', `require(${JSON.stringify(join(app, 'node_modules/netlink'))})`]);
    } finally {
      await rm(app, { recursive: true });
    }
  });
});

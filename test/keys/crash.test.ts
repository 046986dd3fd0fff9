/** The process is killed at any moment: the old key or the new one is there, whole, and nothing else. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { type KeyFiles, nodeFiles } from '../../keys/files.ts';
import { Keyring } from '../../keys/keyring.ts';

class Killed extends Error {}

/** The real files, until the life ends: at step `lives`, before it is done, or in the middle of a write. */
function mortal(lives: number, torn: number): KeyFiles {
  let step = 0;
  const perish = (): void => {
    step += 1;
    if (step > lives) throw new Killed();
  };
  const write = (descriptor: number, text: string): void => {
    if (step + 1 > lives) nodeFiles.write(descriptor, text.slice(0, Math.floor(text.length * torn)));
    perish();
    nodeFiles.write(descriptor, text);
  };
  const wrapped = Object.entries({ ...nodeFiles, write }).map(([name, act]) => [
    name,
    name === 'write'
      ? act
      : (...args: unknown[]) => {
          // A dead process closes nothing, but this one must not run out of descriptors.
          if (name !== 'close') perish();
          return (act as (...args: unknown[]) => unknown)(...args);
        },
  ]);
  return Object.fromEntries(wrapped) as KeyFiles;
}

const actions = {
  ensure: (ring: Keyring) => ring.ensure(8, 'wireguard'),
  renew: (ring: Keyring) => ring.renew(7),
  remove: (ring: Keyring) => ring.remove(7, 'wireguard'),
  touch: (ring: Keyring) => ring.touch(Date.UTC(2027, 0)),
} as const;

describe('a keyring whose process is killed', () => {
  let parent: string;
  let folder: string;
  beforeEach(() => {
    parent = fs.mkdtempSync(path.join(os.tmpdir(), 'sheath-crash-'));
    folder = path.join(parent, 'keys');
  });
  afterEach(() => fs.rmSync(parent, { recursive: true }));

  const keys = (ring: Keyring): readonly string[] =>
    ring
      .list()
      .map(({ generation, publicKey, privateKey }) => `${generation} ${publicKey} ${privateKey.reveal()}`);

  for (const [name, act] of Object.entries(actions))
    it(`at any step of ${name}`, () => {
      let finished = 0;
      const moment = fc.record({ lives: fc.nat(20), torn: fc.double({ min: 0, max: 1, noNaN: true }) });
      fc.assert(
        fc.property(moment, ({ lives, torn }) => {
          fs.rmSync(folder, { recursive: true, force: true });
          const first = Keyring.open(folder);
          first.ensure(7, 'wireguard');
          const before = keys(first);
          try {
            act(Keyring.open(folder, { files: mortal(lives, torn) }));
            finished += 1;
          } catch (error) {
            assert.ok(error instanceof Error && error.cause instanceof Killed, String(error));
          }
          const after = keys(Keyring.open(folder));
          assert.deepEqual(
            fs.readdirSync(folder).filter((entry) => entry.startsWith('.')),
            [],
          );
          const changed = after.filter((key) => !before.includes(key));
          const kept = before.filter((key) => after.includes(key));
          const states = {
            ensure: [1, changed.length],
            renew: [1 - changed.length, changed.length],
            remove: [after.length, 0],
            touch: [1, 0],
          };
          assert.deepEqual([kept.length, changed.length], states[name as keyof typeof states]);
          assert.ok(changed.length <= 1 && after.length <= 2);
        }),
        { numRuns: 60 },
      );
      assert.ok(finished > 0, 'some lived to the end');
    });

  it('by a real SIGKILL, again and again', async () => {
    const child = fileURLToPath(new URL('./renewing-child.ts', import.meta.url));
    let last: string | undefined;
    for (const delay of [0, 1, 3, 8, 21]) {
      const running = spawn(
        process.execPath,
        ['--conditions=source', '--disable-warning=ExperimentalWarning', child, folder],
        { stdio: ['ignore', 'pipe', 'inherit'] },
      );
      await once(running.stdout, 'data');
      await new Promise((resolve) => setTimeout(resolve, delay));
      running.kill('SIGKILL');
      const [, signal] = (await once(running, 'exit')) as [number | null, string | null];
      assert.equal(signal, 'SIGKILL');
      const ring = Keyring.open(folder);
      assert.deepEqual(
        ring.list().map(({ generation }) => generation),
        [7],
      );
      assert.deepEqual(
        fs.readdirSync(folder).filter((entry) => entry.startsWith('.')),
        [],
      );
      assert.notEqual(ring.get(7, 'wireguard')?.publicKey, last, 'it was at work');
      last = ring.get(7, 'wireguard')?.publicKey;
    }
  });
});

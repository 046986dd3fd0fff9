import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const MODULES = {
  rtnetlink: fileURLToPath(new URL('../../tunnels/netlink/rtnetlink.ts', import.meta.url)),
};

/** Runs the script in a process and network namespace of its own, with few file descriptors, and returns what it said. */
async function run(script: string): Promise<{ code: number | null; said: string }> {
  const child = spawn(
    'unshare',
    [
      '--net',
      'sh',
      '-c',
      'ulimit -n 100; exec "$@"',
      'sh',
      process.execPath,
      '--conditions=source',
      '--no-warnings',
      '--input-type=module',
      '-e',
      `${TOOLS}\n${script}`,
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (piece: Buffer) => {
      said += piece.toString();
    });
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  return { code, said };
}

const TOOLS = `
  import fs from 'node:fs';
  import { setTimeout as sleep } from 'node:timers/promises';
  const { openNetlink } = await import(${JSON.stringify(MODULES.rtnetlink)});
  /** Those that read for us: a killed one stays a zombie for a moment. */
  const readers = () => fs.readFileSync('/proc/self/task/' + process.pid + '/children', 'utf8').trim().split(' ')
    .filter((pid) => pid !== '' && !/^State:\\s+Z/m.test(fs.readFileSync('/proc/' + pid + '/status', 'utf8')));
  const until = async (test) => { while (!test()) await sleep(20); };
  const netlink = openNetlink();
  const ending = new AbortController();
  netlink.watch(() => {}, ending.signal);
  const end = () => { ending.abort(); netlink.close(); process.stdout.write('well'); };
`;

describe('who listens to the kernel', () => {
  it('comes back when its reader died while no file descriptor was left', async () => {
    const outcome = await run(`
      const [reader] = readers();
      const held = [];
      const hold = () => {
        try { for (;;) held.push(fs.openSync('/dev/null')); } catch (error) { if (error.code !== 'EMFILE') throw error; }
      };
      hold();
      process.kill(Number(reader));
      for (let i = 0; i < 30; i += 1) { await sleep(20); hold(); }
      for (const descriptor of held) fs.closeSync(descriptor);
      await until(() => readers().some((pid) => pid !== reader));
      end();
    `);
    assert.deepEqual(outcome, { code: 0, said: 'well' });
  });

  it('comes back after many routes could not be written', async () => {
    const outcome = await run(`
      const route = { type: 'replaceRoute', route: { table: 54321, prefix: '10.0.0.0/24', metric: 0, throw: true } };
      const [reader] = readers();
      const failure = await netlink.write([{ type: 'none' }, ...Array.from({ length: 600 }, () => route)])
        .then(() => undefined, (error) => error);
      if (failure === undefined) throw new Error('it was written');
      await until(() => readers().some((pid) => pid !== reader));
      end();
    `);
    assert.deepEqual(outcome, { code: 0, said: 'well' });
  });

  it('is not the end of the process when there is more to hear than fits, before its reader reads', async () => {
    const outcome = await run(`
      const write = { type: 'replaceRoute', route: { table: 54321, prefix: '10.0.0.0/24', metric: 0, throw: true } };
      for (let i = 0; i < 5; i += 1) await netlink.write(Array.from({ length: 400 }, () => write));
      end();
    `);
    assert.deepEqual(outcome, { code: 0, said: 'well' });
  });
});

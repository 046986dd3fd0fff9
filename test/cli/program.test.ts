/** The executable as it is built: shebang, chunks, exit codes, and what an old Node is told. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { access, constants, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { parse } from 'yaml';
import { VERSION } from '../../cli/version.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** `#!/usr/bin/env node` shall find the Node that runs this. */
const PATH = `${dirname(process.execPath)}${delimiter}${process.env.PATH}`;

interface Ended {
  readonly out: string;
  readonly err: string;
  readonly code: number;
}

function run(
  file: string,
  argv: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(file, argv, { env: { PATH, ...env } }, (error, out, err) => {
      resolve({ out, err, code: typeof error?.code === 'number' ? error.code : 0 });
    });
  });
}

describe('the executable', () => {
  let folder: string;
  let program: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sheath-dist-'));
    program = join(folder, 'dist', 'sheath.mjs');
    await promisify(execFile)(process.execPath, ['bundle.mjs', dirname(program)], { cwd: ROOT });
  });
  after(() => rm(folder, { recursive: true, force: true }));

  it('runs by itself', async () => {
    await access(program, constants.X_OK);
    const { out, err, code } = await run(program, ['version']);
    assert.ok(out.startsWith(`sheath ${VERSION} `), out);
    assert.equal(err, '');
    assert.equal(code, 0);
  });

  it('says its version to who asks as of other programs', async () => {
    assert.deepEqual(await run(program, ['--version']), await run(program, ['version']));
  });

  it('says in one line that what it prints goes nowhere', async () => {
    const { err, code } = await run('/bin/sh', ['-c', `${program} version >/dev/full`]);
    assert.match(err, /^sheath: cannot write [^\n]+\n$/);
    assert.equal(code, 1);
  });

  it('prints JSON and YAML', async () => {
    const [json, yaml] = [
      await run(program, ['version', '-o', 'json']),
      await run(program, ['version', '-o', 'yaml']),
    ];
    assert.deepEqual(parse(yaml.out), JSON.parse(json.out));
    assert.equal(yaml.err, '');
  });

  it('is split, so that a command loads what it needs', async () => {
    const chunks = await readdir(join(dirname(program), 'chunks'));
    for (const command of ['agent', 'controller', 'status', 'peers', 'plan', 'cleanup', 'lab', 'version']) {
      assert.ok(
        chunks.some((name) => name.startsWith(`${command}-`) && name.endsWith('.mjs')),
        `${command}: ${chunks}`,
      );
    }
  });

  it('asks the cluster without the native addon, which is not there', async () => {
    const { err, code } = await run(program, ['status', '--cluster', '--kubeconfig', '/nonexistent']);
    assert.match(err, /^sheath: cannot read \/nonexistent: /);
    assert.equal(code, 2);
  });

  it('ends with the code of the command', async () => {
    assert.equal((await run(program, ['peers', '--run-dir', '/nonexistent'])).code, 3);
    assert.equal((await run(program, ['--nonsense'])).code, 2);
  });

  it('has no colours for a pipe, and has them where they are forced', async () => {
    const plain = await run(program, ['peers', '--run-dir', '/nonexistent']);
    assert.ok(!plain.err.includes('\u001b'));
    const forced = await run(program, ['peers', '--run-dir', '/nonexistent'], { FORCE_COLOR: '1' });
    assert.ok(forced.err.includes('\u001b[31msheath:\u001b[39m'));
  });

  it('cleans up nothing without CAP_NET_ADMIN, and says so', async () => {
    const less = ['--bounding-set=-net_admin', '--inh-caps=-net_admin', process.execPath, program];
    const { out, err, code } = await run('setpriv', [...less, 'cleanup', '--run-dir', '/nonexistent']);
    assert.equal(out, '');
    assert.match(err, /^sheath: [^\n]+ takes CAP_NET_ADMIN: run it as root\n$/);
    assert.equal(code, 1);
  });

  it('tells an old Node what is needed, and how to run it', async () => {
    const pretend = "data:text/javascript,Object.defineProperty(process.versions,'node',{value:'20.20.2'})";
    const { out, err, code } = await run(process.execPath, ['--import', pretend, program, 'version']);
    assert.equal(out, '');
    assert.match(
      err,
      /^sheath: needs Node\.js 22\.19 or newer, this is 20\.20\.2; run it as: node_modules\/\.bin\/node [^\n]+\n$/,
    );
    assert.equal(code, 2);
  });
});

/** The runner is what everything else is judged by: so it is run as a whole, on suites that fail in every way. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

const root = path.resolve(import.meta.dirname, '../..');
const good = "describe('good', () => { it('passes', () => {}); it('too', () => {}); });\n";

interface Outcome {
  readonly code: number;
  readonly output: string;
  readonly lastLine: string;
}

describe('npm test', function () {
  this.timeout(60_000);
  let checkout: string;

  beforeEach(() => {
    checkout = mkdtempSync(path.join(tmpdir(), 'sheath-runner-'));
    for (const name of [
      'package.json',
      '.mocharc.json',
      'test/runner',
      'test/setup',
      'test/kernel/uml-run',
      'test/kernel/uml-init',
      'test/kernel/uml-xstate.c',
    ])
      cpSync(path.join(root, name), path.join(checkout, name), {
        recursive: true,
        filter: (file) => !file.endsWith('.test.ts'),
      });
    symlinkSync(path.join(root, 'node_modules'), path.join(checkout, 'node_modules'));
  });
  afterEach(() => rmSync(checkout, { recursive: true, force: true }));

  function suite(file: string, text: string): void {
    mkdirSync(path.dirname(path.join(checkout, file)), { recursive: true });
    writeFileSync(path.join(checkout, file), text);
  }

  async function npmTest(args: string[], variables: Record<string, string> = {}): Promise<Outcome> {
    const main = path.join(checkout, 'test/runner/main.ts');
    const env = { ...process.env, ...variables };
    const result = await promisify(execFile)(process.execPath, [main, ...args], { env }).then(
      ({ stdout }) => ({ code: 0, stdout }),
      (error: { code: number; stdout: string }) => error,
    );
    const lines = result.stdout.trimEnd().split('\n');
    return { code: result.code, output: result.stdout, lastLine: lines.at(-1) ?? '' };
  }

  it('counts what passed in all suites, and exits with 0', async () => {
    suite('test/a/one.test.ts', good);
    suite('test/b/deeper/two.test.ts', good);
    const { code, lastLine } = await npmTest(['--only', 'native']);
    assert.deepEqual({ code, lastLine }, { code: 0, lastLine: '4 passed, 0 failed' });
  });

  it('prints a failing test with its error, counts it, and exits with 1', async () => {
    suite('test/a/one.test.ts', good);
    suite(
      'test/b/two.test.ts',
      "it('breaks', () => { console.log('a clue'); throw new Error('the reason'); });\n",
    );
    const { code, output, lastLine } = await npmTest(['--only', 'native']);
    assert.deepEqual({ code, lastLine }, { code: 1, lastLine: '2 passed, 1 failed' });
    assert.match(output, /FAILED test\/b: breaks\n\s+Error: the reason/);
    assert.match(output, /a clue/);
  });

  const wrongs = {
    'dies in the middle': [`${good}it('dies', () => process.exit(0));\n`, /crashed \(exit code 0\)/],
    'is killed': [
      "it('is killed', () => process.kill(process.pid, 'SIGKILL'));\n",
      /crashed \(ended by SIGKILL\)/,
    ],
    'cannot be loaded': ["import './nothing.ts';\n", /crashed/],
    'has no tests': ["describe('empty', () => {});\n", /the suite has no tests/],
    'has a pending test': [`${good}it('some day');\n`, /some day\n\s+pending/],
    'runs only a part of itself': [`${good}it.only('mine', () => {});\n`, /crashed/],
    'fails in a hook': [`${good}before(() => { throw new Error('no ground'); });\n`, /no ground/],
  } as const;
  for (const [what, [text, message]] of Object.entries(wrongs)) {
    it(`takes a suite that ${what} for one failure`, async () => {
      suite('test/a/one.test.ts', text);
      const { code, output, lastLine } = await npmTest(['--only', 'native']);
      assert.equal(code, 1);
      assert.match(lastLine, /^\d+ passed, 1 failed$/);
      assert.match(output, message);
    });
  }

  it('ends a suite that does not end, with everything it started', async () => {
    suite(
      'test/kernel/one.test.ts',
      "// kernel suite: timeout 4\nit('waits', (done) => { setInterval(() => {}, 1000); }).timeout(0);\n",
    );
    const { code, output, lastLine } = await npmTest(['--only', 'kernel']);
    assert.deepEqual({ code, lastLine }, { code: 1, lastLine: '0 passed, 1 failed' });
    assert.match(output, /did not end within 4 s/);
  });

  it('takes a kernel that does not boot for a failure of its suite', async () => {
    suite('test/kernel/one.test.ts', good);
    const kernel = path.join(checkout, 'linux-9.9');
    writeFileSync(kernel, '#!/bin/sh\necho Kernel panic; exit 1\n', { mode: 0o755 });
    const { code, output, lastLine } = await npmTest(['--only', 'kernel'], { SHEATH_UML_KERNEL: kernel });
    assert.deepEqual({ code, lastLine }, { code: 1, lastLine: '0 passed, 1 failed' });
    assert.match(output, /user-mode Linux 9\.9/);
    assert.match(output, /crashed[\s\S]*Kernel panic/);
  });

  it('refuses a kernel that is not there', async () => {
    suite('test/kernel/one.test.ts', good);
    const { code } = await npmTest(['--kernel', '1.0']);
    assert.equal(code, 2);
  });

  it('runs only the suites that were named', async () => {
    suite('test/a/one.test.ts', good);
    suite('test/a/two.test.ts', good);
    suite('test/b/one.test.ts', good);
    const { lastLine } = await npmTest(['--only', 'native', 'a/one']);
    assert.equal(lastLine, '2 passed, 0 failed');
  });

  it('is not content with nothing', async () => {
    const { code, lastLine } = await npmTest(['--only', 'native', 'no-such-suite']);
    assert.deepEqual({ code, lastLine }, { code: 1, lastLine: '0 passed, 0 failed' });
  });
});

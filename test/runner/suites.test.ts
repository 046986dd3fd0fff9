import assert from 'node:assert/strict';
import { chooseKernels, type Kernel } from './kernels.ts';
import { parseOptions } from './options.ts';
import { parseWishes } from './suites.ts';

describe('the wishes of a kernel suite', () => {
  it('are modest where it says nothing', () => {
    assert.deepEqual(parseWishes('f', 'it()'), { kernels: 'newest', memory: '2G', timeoutSeconds: 600 });
  });
  it('are read from its comment', () => {
    const text = '/** What. */\n// kernel suite: kernels ends, memory 3G, timeout 900\n';
    assert.deepEqual(parseWishes('f', text), { kernels: 'ends', memory: '3G', timeoutSeconds: 900 });
  });
  it('are refused when unknown, with the file', () => {
    assert.throws(
      () => parseWishes('x.test.ts', '// kernel suite: kernels some'),
      /x\.test\.ts.*kernels some/,
    );
  });
});

describe('the choice of kernels', () => {
  const kernels: Kernel[] = ['6.1', '6.12', '7.2'].map((version) => ({
    type: 'uml',
    version,
    file: version,
    preload: '',
  }));
  const versions = (...args: Parameters<typeof chooseKernels>) =>
    chooseKernels(...args).map((kernel) => kernel.version);

  it('follows the suite', () => {
    assert.deepEqual(versions(kernels, 'all', []), ['6.1', '6.12', '7.2']);
    assert.deepEqual(versions(kernels, 'newest', []), ['7.2']);
    assert.deepEqual(versions(kernels, 'ends', []), ['6.1', '7.2']);
  });
  it('takes the only one there is once', () => {
    assert.deepEqual(versions(kernels.slice(0, 1), 'ends', []), ['6.1']);
  });
  it('follows the command line first', () => {
    assert.deepEqual(versions(kernels, 'newest', ['6.12']), ['6.12']);
    assert.throws(() => chooseKernels(kernels, 'all', ['5.10']), /no kernel 5\.10 here/);
  });
});

describe('the command line of npm test', () => {
  it('runs everything where nothing is said', () => {
    assert.deepEqual(parseOptions([]).phases, ['check', 'build', 'native', 'kernel']);
  });
  it('takes files with or without test/', () => {
    assert.deepEqual(parseOptions(['test/keys', './test/mesh/plan', 'cli']).files, [
      'keys',
      'mesh/plan',
      'cli',
    ]);
  });
  it('goes to the kernel suites where a kernel is named', () => {
    assert.deepEqual(parseOptions(['--kernel', '6.1']).phases, ['kernel']);
  });
  it('refuses what it does not know', () => {
    assert.throws(() => parseOptions(['--only', 'nothing']), /check, build, native, kernel/);
    assert.throws(() => parseOptions(['--jobs', '0']), /--jobs 0/);
    assert.throws(() => parseOptions(['--fast']));
  });
});

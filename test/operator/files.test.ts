import assert from 'node:assert/strict';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeFolder } from '../../operator/files.ts';

describe('makeFolder', () => {
  let folder: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sheath-files-'));
  });

  after(() => rm(folder, { recursive: true }));

  it('makes what is missing, with its mode, and takes what is there', async () => {
    const path = join(folder, 'a', 'b', 'c');
    await makeFolder(path, 0o700);
    await makeFolder(path, 0o700);
    assert.equal((await stat(join(folder, 'a'))).mode & 0o777, 0o700);
    assert.ok((await stat(path)).isDirectory());
  });

  it('ends where no folder can be', async () => {
    await assert.rejects(makeFolder('/proc/sheath/state', 0o700), { code: 'ENOENT' });
    await assert.rejects(makeFolder('/dev/null/state', 0o700), { code: 'ENOTDIR' });
    await assert.rejects(makeFolder('/dev/null', 0o700), { code: 'EEXIST' });
  });
});
